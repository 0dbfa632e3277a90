// SPDX-License-Identifier: MIT OR Apache-2.0
import { defineConfig } from "vitest/config";

declare const process: { env: Record<string, string | undefined> };

// `npm run dev` serves the page and hands API calls to a running server (or to tests/browser/mock).
const server = process.env["SIGHTLINE_URL"] ?? "http://127.0.0.1:8080";

export default defineConfig({
  build: {
    target: "es2022",
    // Everything is a file of its own, so that the page runs under `default-src 'self'`.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: {
    proxy: {
      "/v1": { target: server, ws: true },
      "/healthz": server,
      "/version": server,
    },
  },
  test: { include: ["src/**/*.test.ts", "client/*.test.ts"] },
});
