import { defineConfig } from 'vitest/config';

// Packages are tested from their sources: the `source` condition of their package.json exports.
const ssr = { resolve: { conditions: ['source'], externalConditions: ['source'] } };

export default defineConfig({
  ssr,
  resolve: { conditions: ['source'] },
  test: {
    reporters: ['default'],
    projects: [
      {
        extends: true,
        ssr,
        test: {
          name: 'unit',
          include: ['packages/*/src/**/*.test.ts'],
          exclude: ['**/*.integ.test.ts', '**/*.isolated.test.ts'],
          testTimeout: 20_000,
          maxWorkers: 2,
          // Loading the modules anew for each file takes longer than many of the files themselves.
          isolate: false,
        },
      },
      {
        extends: true,
        ssr,
        // Replaces modules, so it may not share them.
        test: {
          name: 'unit-isolated',
          include: ['packages/*/src/**/*.isolated.test.ts'],
          maxWorkers: 2,
          testTimeout: 20_000,
        },
      },
      {
        extends: true,
        ssr,
        // Needs tools from Debian: qemu-img, libvhdi, nbd clients, Python clients, QEMU.
        test: {
          name: 'integ',
          include: ['packages/*/src/**/*.integ.test.ts', 'tests/integ/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          maxWorkers: 2,
        },
      },
      {
        extends: true,
        ssr,
        test: {
          name: 'e2e',
          include: ['tests/e2e/**/*.test.ts'],
          testTimeout: 300_000,
          hookTimeout: 600_000,
          maxWorkers: 2,
        },
      },
    ],
  },
});
