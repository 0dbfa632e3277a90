// SPDX-License-Identifier: MIT OR Apache-2.0
// The package as others get it: packed, unpacked into a project of its own, imported by Node.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";

const here = import.meta.dirname;
const project = mkdtempSync(join(tmpdir(), "sightline-client-"));
const installed = join(project, "node_modules/@sightline/client");

beforeAll(() => {
  execFileSync("npm", ["run", "--silent", "build:client"], { cwd: join(here, "..") });
  execFileSync("npm", ["pack", "--silent", "--pack-destination", project], { cwd: here });
  mkdirSync(installed, { recursive: true });
  const file = readdirSync(project).find((name) => name.endsWith(".tgz")) ?? "none";
  execFileSync("tar", ["-xzf", join(project, file), "-C", installed, "--strip-components=1"]);
}, 120000);
afterAll(() => rmSync(project, { recursive: true, force: true }));

it("depends on nothing and brings its types and nothing of the tests", () => {
  const manifest = JSON.parse(readFileSync(join(installed, "package.json"), "utf8")) as Record<string, unknown>;
  expect(manifest["dependencies"]).toBeUndefined();
  const files = readdirSync(join(installed, "dist"));
  expect(files).toContain("index.js");
  expect(files).toContain("index.d.ts");
  expect(files.filter((f) => /test/.test(f))).toEqual([]);
  expect(readdirSync(installed)).toContain("README.md");
});

it("connects from Node, with a WebSocket that it is given", () => {
  writeFileSync(
    join(project, "main.mjs"),
    `import { connect } from "@sightline/client";
     class Fake {
       readyState = 0;
       constructor(url) { this.url = url; setTimeout(() => { this.readyState = 1; this.onopen(); }, 1); }
       send(text) {
         const event = JSON.parse(text);
         if (event.type !== "response.create") return;
         const say = (m) => this.onmessage({ data: JSON.stringify(m) });
         say({ type: "response.created", response: { id: "r", metadata: event.response.metadata } });
         for (const delta of ["It is ", "a cup."]) say({ type: "response.output_text.delta", response_id: "r", item_id: "i", delta });
         say({ type: "response.done", response: { id: "r", status: "completed" } });
       }
       close() {}
     }
     const session = await connect({ url: "http://box", WebSocket: Fake });
     await new Promise((resolve) => setTimeout(resolve, 5));
     let text = "";
     for await (const words of session.ask("What is it?")) text += words;
     console.log(text);
     await session.stop();`,
  );
  expect(execFileSync("node", ["main.mjs"], { cwd: project, encoding: "utf8" }).trim()).toBe("It is a cup.");
});

it("has types that a project with strict settings can use", () => {
  writeFileSync(
    join(project, "main.mts"),
    `import { connect, type ServerEvent } from "@sightline/client";
     const session = await connect({ url: "http://box", extensions: ["scene"] });
     session.on("response.output_text.delta", (e) => e.delta.toUpperCase());
     session.on("scene.facts", (e) => e.objects.map((o) => o.label));
     // @ts-expect-error: no such event
     session.on("response.output_txt.delta", () => undefined);
     // @ts-expect-error: no such field
     session.on("response.done", (e) => e.respons);
     export const kinds = (e: ServerEvent): string => e.type;`,
  );
  const settings = { strict: true, noEmit: true, target: "es2022", module: "nodenext", lib: ["es2023", "dom"], types: [] };
  writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions: settings, files: ["main.mts"] }));
  const tsc = spawnSync("node", [join(here, "../node_modules/typescript/bin/tsc"), "-p", "."], { cwd: project, encoding: "utf8" });
  expect(tsc.stdout).toBe("");
}, 60000);
