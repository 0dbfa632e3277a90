// SPDX-License-Identifier: MIT OR Apache-2.0
import { describe, expect, it } from "vitest";
import { SERVER_EVENT_FIELDS, type ServerEvent, neededFields, parseServerEvent } from "./events.js";

// The files that Rust reads too. Each holds one event, a list of events, or objects that hold such lists.
const golden = import.meta.glob("../../../tests/data/wire/**/*.json", { eager: true, import: "default" });
const TYPES = Object.keys(SERVER_EVENT_FIELDS) as ServerEvent["type"][];

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

  it("lets unknown types pass, so that servers can grow", () => {
    expect(parseServerEvent('{"type":"weather.changed","sun":1}')).toEqual({ other: { type: "weather.changed", sun: 1 } });
    expect(parseServerEvent('{"type":"constructor"}')).toHaveProperty("other");
  });

  it("refuses a known type whose needed field is missing or of another type", () => {
    for (const type of TYPES) {
      const needed = neededFields(type);
      const whole = Object.fromEntries(needed.map(([name, want]) => [name, sample(want)]));
      expect(parseServerEvent(JSON.stringify({ type, ...whole })), type).toHaveProperty("event.type", type);
      for (const [name, want] of needed) {
        expect(parseServerEvent(JSON.stringify({ type, ...whole, [name]: null })), `${type} ${name}`).toHaveProperty("problem");
        const wrong = want === "string" ? 5 : "x";
        expect(parseServerEvent(JSON.stringify({ type, ...whole, [name]: wrong })), `${type} ${name}`).toHaveProperty("problem");
      }
    }
  });

  it("reads every golden event of the server, and knows the type of each", () => {
    const events = Object.entries(golden).filter(([path]) => /server_events/.test(path)).flatMap(([, content]) => eventsIn(content));
    expect(events.length).toBeGreaterThan(TYPES.length - 1);
    for (const event of events) {
      expect(parseServerEvent(JSON.stringify(event)), String(event["type"])).toHaveProperty("event.type", event["type"]);
      // What the generated table says is always there is always there.
      for (const [name, want] of Object.entries(SERVER_EVENT_FIELDS[event["type"] as ServerEvent["type"]])) {
        expect(event, String(event["type"])).toHaveProperty(name);
        if (want !== "any") expect(typeof event[name], `${String(event["type"])} ${name}`).toBe(want);
      }
    }
    for (const type of TYPES) expect(events.some((e) => e["type"] === type), `no golden ${type}`).toBe(true);
  });
});

function sample(want: string): unknown {
  return { string: "x", number: 1, boolean: true }[want] ?? {};
}
