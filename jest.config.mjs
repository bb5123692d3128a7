/** Native ESM, SWC only here; packages resolve to their sources through the "source" export condition. */
const swc = [
  '@swc/jest',
  {
    jsc: {
      target: 'es2024',
      parser: { syntax: 'typescript', decorators: true },
      transform: { legacyDecorator: true, decoratorMetadata: true },
    },
    module: { type: 'es6' },
  },
];
const kafkaSpecs = 'kafka[^/]*[.]int[.]spec[.]ts$';

export default {
  testEnvironment: 'node',
  testEnvironmentOptions: { customExportConditions: ['source', 'node', 'node-addons'] },
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': ['$1.ts', '$1.js'] },
  transform: { '^.+\\.ts$': swc },
  testMatch: ['<rootDir>/{libs,apps}/*/{src,test}/**/*.spec.ts', '<rootDir>/tests/**/*.spec.ts'],
  // Without Java the specs that are about Apache Kafka as a whole cannot run; scripts/test.mjs says so and counts them.
  testPathIgnorePatterns: ['/node_modules/', ...(process.env.WRIT_TEST_NO_KAFKA ? [kafkaSpecs] : [])],
  modulePathIgnorePatterns: ['<rootDir>/.*/dist/'],
  watchPathIgnorePatterns: ['dist'],
  testTimeout: 60_000,
};
