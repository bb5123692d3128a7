// The law of imports. Each rule is shown to reject a planted violation in tests/import-law.spec.ts.
const error = 'error';
/** Those with rules; writd and cli have none. */
const services = '(?:registry|policy-engine|vault|session-broker|approvals|audit)';
module.exports = {
  forbidden: [
    {
      name: 'domain-is-pure',
      comment:
        'a suffix-less file of a noun imports the kernel, authority, fact types and its own folder, nothing else',
      severity: error,
      from: { path: `^(apps/${services}/src/[^/]+)/[^./]+[.]ts$` },
      to: {
        pathNot: [
          '^libs/kernel/',
          '^libs/authority/',
          '^libs/contracts/.+_facts[.]ts$',
          '^libs/contracts/src/writ/type/',
          '^$1/[^./]+[.]ts$',
        ],
      },
    },
    {
      name: 'domain-types-only',
      comment: 'rules take the types of facts, not their codecs',
      severity: error,
      from: { path: `^apps/${services}/src/[^/]+/[^./]+[.]ts$` },
      to: { path: '^libs/contracts/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'apps-do-not-meet',
      severity: error,
      from: { path: '^apps/([^/]+)/', pathNot: ['^apps/writd/', '[.]spec[.]ts$', '/test/'] },
      to: { path: '^apps/', pathNot: '^apps/$1/' },
    },
    {
      name: 'kernel-stands-alone',
      severity: error,
      from: { path: '^libs/kernel/src', pathNot: '[.]spec[.]ts$' },
      to: { pathNot: '^libs/kernel/src' },
    },
    {
      name: 'authority-knows-the-kernel-only',
      severity: error,
      from: { path: '^libs/authority/src', pathNot: '[.]spec[.]ts$' },
      to: { pathNot: ['^libs/kernel/', '^libs/authority/src'] },
    },
    {
      name: 'client-needs-no-service',
      comment: 'an application that asks for decisions installs no NestJS, no pg and no Kafka',
      severity: error,
      from: { path: '^libs/client/src', pathNot: '[.]spec[.]ts$' },
      to: {
        pathNot: [
          '^libs/(client/src|kernel|contracts|authority)/',
          'node_modules/(@grpc/grpc-js|@opentelemetry/api|@bufbuild/protobuf)/',
        ],
        dependencyTypesNot: ['core'],
      },
    },
    {
      name: 'cedar-knows-the-reference-only',
      comment: 'and the kernel; files are read by the corpus alone',
      severity: error,
      from: { path: '^libs/cedar/src', pathNot: ['[.]spec[.]ts$', '/corpus[.]ts$'] },
      to: { pathNot: ['^libs/kernel/', '^libs/cedar/src', 'node_modules/@cedar-policy/cedar-wasm/'] },
    },
    {
      name: 'cedar-wasm-behind-its-provider',
      comment: 'what is compiled is pure; what asks the reference says so by its name',
      severity: error,
      from: { pathNot: ['^libs/cedar/src/.+[.]provider[.]ts$', '^libs/cedar/test/', '[.]spec[.]ts$'] },
      to: { path: 'node_modules/@cedar-policy/' },
    },
    {
      name: 'store-knows-kernel-and-pg',
      severity: error,
      from: { path: '^libs/event-store/src', pathNot: ['[.]spec[.]ts$', '[.]contract[.]ts$'] },
      to: { path: ['^libs/', '@nestjs', 'kafkajs'], pathNot: ['^libs/kernel/', '^libs/event-store/'] },
    },
    {
      name: 'nobody-imports-a-root',
      severity: error,
      from: { pathNot: ['/main[.]ts$', '[.]spec[.]ts$', '/test/', '^libs/testing/', '^apps/writd/'] },
      to: { path: '[.]module[.]ts$' },
    },
    {
      name: 'edges-do-not-meet',
      severity: error,
      from: { path: '^apps/.+[.](rpc|http|reactions)[.]ts$' },
      to: { path: '^apps/.+[.](rpc|http|reactions)[.]ts$' },
    },
    {
      name: 'testing-in-specs-only',
      severity: error,
      from: {
        pathNot: [
          '[.]spec[.]ts$',
          '[.]contract[.]ts$',
          '^libs/testing/',
          '^tests/',
          '^(apps|libs)/[^/]+/test/',
        ],
      },
      to: { path: '^libs/testing/' },
    },
    {
      name: 'kafka-behind-the-port',
      severity: error,
      from: { path: '^apps/', pathNot: ['[.]spec[.]ts$', '/test/'] },
      to: { path: 'node_modules/kafkajs' },
    },
    { name: 'no-circles', severity: error, from: {}, to: { circular: true } },
  ],
  options: {
    parser: 'swc',
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '/dist/' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['source', 'import', 'node', 'default'],
    },
  },
};
