// SPDX-License-Identifier: MIT OR Apache-2.0
/** The fields of a value that came from outside; none when it is no object. */
export const object = (v: unknown): Record<string, unknown> => (typeof v === "object" && v !== null ? (v as Record<string, unknown>) : {});
