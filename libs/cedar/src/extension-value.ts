/** A value of an extension type. Two are equal when kind and `key` are. */
export abstract class ExtensionValue {
  abstract readonly kind: 'ipaddr' | 'decimal' | 'datetime' | 'duration';
  /** Equal for equal values of the kind, whatever text they were written in. */
  abstract readonly key: string;
}
