// SPDX-License-Identifier: MIT OR Apache-2.0
// The generated types against the golden files that Rust reads and writes: each entry becomes a literal, and the compiler judges.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";

const web = join(import.meta.dirname, "..");
const golden = (name: string) => JSON.parse(readFileSync(join(web, "../tests/data/wire", name), "utf8")) as Record<string, unknown>[];
const project = mkdtempSync(join(tmpdir(), "sightline-types-"));
afterAll(() => rmSync(project, { recursive: true, force: true }));

/** What the compiler says about these lines. */
function compile(lines: string[]): string[] {
  const from = JSON.stringify(join(web, "src/client/wire.gen"));
  const text = `import type { ClientEvent, ServerEvent } from ${from};\nexport const client = <const T extends ClientEvent>(_: T): void => undefined;\n${lines.join("\n")}\n`;
  writeFileSync(join(project, "golden.ts"), text);
  const settings = { strict: true, noEmit: true, target: "es2022", module: "esnext", moduleResolution: "bundler", types: [] };
  writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions: settings, files: ["golden.ts"] }));
  const tsc = spawnSync("node", [join(web, "node_modules/typescript/bin/tsc"), "-p", "."], { cwd: project, encoding: "utf8" });
  return tsc.stdout.split("\n").filter((line) => line.includes("error TS"));
}

const server = (event: unknown, n: number) => `export const s${n}: ServerEvent = ${JSON.stringify(event)};`;

it("every golden event has its type, with no field too few and none too many", () => {
  const lines = golden("server_events.json").map(server);
  // Clients may send more than we know of.
  const clients = golden("client_events.json").map((entry) => `client(${JSON.stringify(entry["json"])});`);
  expect(lines.length).toBeGreaterThan(30);
  expect(compile([...lines, ...clients])).toEqual([]);
}, 60000);

it("the compiler would say so if one had not", () => {
  const event = golden("server_events.json").find((e) => e["type"] === "response.output_text.delta") ?? {};
  const wrong = [{ ...event, delta: 5 }, { ...event, extra: 1 }, { type: event["type"] }];
  const clients = ['client({ type: "response.cancel", response_id: 7 });', 'client({ type: "no.such.event" });'];
  const lines = compile([...wrong.map(server), ...clients]).map((line) => /golden\.ts\((\d+),/.exec(line)?.[1]);
  expect(new Set(lines).size).toBe(wrong.length + clients.length);
}, 60000);
