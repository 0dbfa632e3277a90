// SPDX-License-Identifier: MIT OR Apache-2.0
import { describe, expect, it } from "vitest";
import { REQUIRED, type ServerEvent, parseServerEvent } from "./events";

// The files that Rust reads too. Each holds one event, a list of events, or objects that hold such lists.
const golden = import.meta.glob("../../../tests/data/wire/**/*.json", { eager: true, import: "default" });

function eventsIn(value: unknown): Record<string, unknown>[] {
  if (Array.isArray(value)) return value.flatMap(eventsIn);
  if (typeof value !== "object" || value === null) return [];
  const fields = value as Record<string, unknown>;
  return typeof fields["type"] === "string" ? [fields] : Object.values(fields).flatMap(eventsIn);
}

describe("parseServerEvent", () => {
  it.each(["", "no json", "[]", "null", "3", "{}", '{"type":7}'])("names the problem of %j", (text) => {
    expect(parseServerEvent(text)).toHaveProperty("problem");
  });

  it("lets unknown types pass without an event, so that servers can grow", () => {
    expect(parseServerEvent('{"type":"rate_limits.updated","rate_limits":[]}')).toEqual({ event: null });
    expect(parseServerEvent('{"type":"constructor"}')).toEqual({ event: null });
  });

  it("refuses a known type whose needed field is missing or of another type", () => {
    for (const [type, fields] of Object.entries(REQUIRED)) {
      const needed = Object.keys(fields);
      const whole = Object.fromEntries(needed.map((n) => [n, sample(fields[n] ?? "")]));
      expect(parseServerEvent(JSON.stringify({ type, ...whole })), type).toHaveProperty("event.type", type);
      for (const name of needed) {
        expect(parseServerEvent(JSON.stringify({ type, ...whole, [name]: null })), `${type} ${name}`).toHaveProperty("problem");
        if (fields[name] === "string") {
          expect(parseServerEvent(JSON.stringify({ type, ...whole, [name]: 5 })), `${type} ${name}`).toHaveProperty("problem");
        }
      }
    }
  });

  it("reads every golden event of the server", () => {
    const files = Object.entries(golden).filter(([path]) => !/client/.test(path));
    if (files.length === 0) console.log("skipped: no golden files in tests/data/wire yet");
    for (const [path, content] of files) {
      for (const event of eventsIn(content)) {
        if (!Object.hasOwn(REQUIRED, event["type"] as ServerEvent["type"])) continue;
        expect(parseServerEvent(JSON.stringify(event)), path).toHaveProperty("event.type", event["type"]);
      }
    }
  });
});

function sample(kind: string): unknown {
  return kind === "string" ? "x" : kind === "number" ? 1 : {};
}
