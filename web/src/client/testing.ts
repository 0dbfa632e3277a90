// SPDX-License-Identifier: MIT OR Apache-2.0
// For tests only.

/** The same with every field optional, at every depth: a test says what it is about and nothing else. */
export type Loose<T> = T extends readonly (infer U)[] ? Loose<U>[] : T extends object ? { [K in keyof T]?: Loose<T[K]> } : T;

/** Takes it for whole. */
export const whole = <T>(loose: Loose<T>): T => loose as unknown as T;
