// SPDX-License-Identifier: MIT OR Apache-2.0
// A made-up memory, as a server would send it, and made-up pictures for it.

const THINGS = ["a red cup", "a person at a desk", "a laptop; text \"HELLO 42\"", "an empty table", "a cat on a chair", "a blue book", "two people talking", "a green bottle", "a whiteboard; text \"EXIT\"", "a bicycle in the hall"];
const SAID = ["what is this?", "how many are there?", "remember where the key is", "can you read it?"];

export const TOKEN = "mem_7.secret";
export const MEMORY = "mem_7";

/** Steps of 4 to 30 s, the same every time. */
const lengthOf = (n) => 4000 + ((n * 7919) % 27) * 1000;

/** An event; its number gives it its caption, its pictures and what was said. */
export function event(n, startMs, endMs, more = {}) {
  const keyframes = Array.from({ length: 1 + (n % 4) }, (_, k) => ({ id: `kf_${n * 4 + k}`, at_ms: Math.round(startMs + ((k + 0.5) * (endMs - startMs)) / (1 + (n % 4))) }));
  const said = n % 3 === 0 ? [{ at_ms: startMs + 1000, who: "person", text: SAID[n % SAID.length] }, { at_ms: startMs + 2000, who: "sightline", text: `I can see ${THINGS[n % THINGS.length]}.` }] : [];
  return { id: `ev_${n}`, tier: "episodic", start_ms: startMs, end_ms: endMs, caption: THINGS[n % THINGS.length], said, keyframes, depth: 0, children: [], ...more };
}

/** A root: a merged event of `parts` parts. */
export function root(n, startMs, endMs, parts, depth) {
  const long = (endMs - startMs) / parts;
  const children = Array.from({ length: parts }, (_, k) => {
    const start = Math.round(startMs + k * long);
    return { id: `ev_${n * 100 + k}`, start_ms: start, end_ms: Math.round(start + long), caption: THINGS[(n + k) % THINGS.length], keyframe: { id: `kf_${n * 100 + k}`, at_ms: start } };
  });
  return event(n, startMs, endMs, { tier: "long_term", depth, children, keyframes: children.slice(0, 4).map((c) => c.keyframe), caption: `${THINGS[n % THINGS.length]}; ${THINGS[(n + 3) % THINGS.length]}` });
}

/** `roots` merged events of `parts` parts, `events` more after them, and one that is still open. */
export function timeline({ roots = 0, parts = 8, events = 40, more = {} } = {}) {
  const all = [];
  let at = 0;
  for (let n = 0; n < roots; n += 1) {
    const long = parts * lengthOf(n);
    all.push(root(10000 + n, at, at + long, parts, 1 + (n % 3)));
    at += long;
  }
  for (let n = 1; n <= events; n += 1) {
    const last = n === events;
    const long = last ? 6000 : lengthOf(n);
    all.push(event(n, at, at + long, last ? { tier: "open" } : {}));
    at += long;
  }
  return { type: "memory.timeline", memory_id: MEMORY, access_token: TOKEN, started_unix_ms: 1767261600000, now_ms: at, tiers: tiers(all), events: all, ...more };
}

export function tiers(events) {
  const of = (tier) => events.filter((e) => e.tier === tier).length;
  return {
    live: { items: 4, capacity: 4, bytes: 48200 },
    working: { items: 32, capacity: 32, bytes: 412000 },
    episodic: { items: of("episodic") + of("open"), capacity: 512, bytes: 21400 * (of("episodic") + of("open")) },
    long_term: { items: of("long_term"), capacity: 64, bytes: 61000 * of("long_term") },
    archive: { items: events.length, capacity: null, bytes: 31500 * events.length, quota_bytes: 256e6 },
  };
}

/** A drawn picture for an id. */
export function picture(id) {
  const n = Number(id.replace(/\D/g, "")) || 0;
  const hue = (n * 47) % 360;
  const shape = [`<circle cx="150" cy="130" r="${50 + (n % 30)}" fill="hsl(${hue + 160} 60% 55%)"/>`, `<rect x="90" y="${70 + (n % 40)}" width="140" height="110" rx="14" fill="hsl(${hue + 120} 55% 50%)"/>`, `<path d="M60 210 L160 ${60 + (n % 50)} L260 210z" fill="hsl(${hue + 200} 50% 55%)"/>`][n % 3];
  return `<svg xmlns="http://www.w3.org/2000/svg" width="320" height="240"><rect width="320" height="240" fill="hsl(${hue} 35% 72%)"/><rect y="190" width="320" height="50" fill="hsl(${hue} 30% 45%)"/>${shape}</svg>`;
}
