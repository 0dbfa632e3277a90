// SPDX-License-Identifier: MIT OR Apache-2.0
import { svg } from "./dom";

/** Line drawings on a 24×24 grid, drawn for this page. */
const PATHS = {
  mic: ["M12 3.500a3 3 0 0 1 3 3v5a3 3 0 0 1-6 0v-5a3 3 0 0 1 3-3z", "M5.500 11.500a6.500 6.500 0 0 0 13 0", "M12 18v3"],
  "mic-off": ["M9 7v4.500a3 3 0 0 0 4.800 2.400M15 9.500v-3a3 3 0 0 0-5.600-1.500", "M5.500 11.500a6.500 6.500 0 0 0 10.700 5M18.500 11.500c0 .9-.18 1.750-.5 2.500", "M12 18v3", "M4 4l16 16"],
  camera: ["M3.500 7.500a2 2 0 0 1 2-2h8a2 2 0 0 1 2 2v9a2 2 0 0 1-2 2h-8a2 2 0 0 1-2-2z", "M15.500 10.500l5-3v9l-5-3"],
  "camera-off": ["M9 5.500h4.500a2 2 0 0 1 2 2v4M15.500 15.500v1a2 2 0 0 1-2 2h-8a2 2 0 0 1-2-2v-9a2 2 0 0 1 1.200-1.800", "M15.500 10.500l5-3v9l-3-1.800", "M3.500 3.500l17 17"],
  mirror: ["M12 4v16", "M9 7.500L3.500 17H9z", "M15 7.500l5.500 9.500H15z"],
  boxes: ["M4 8.500v-3a1.500 1.500 0 0 1 1.500-1.500h3", "M15.500 4h3a1.500 1.500 0 0 1 1.500 1.500v3", "M20 15.500v3a1.500 1.500 0 0 1-1.500 1.500h-3", "M8.500 20h-3a1.500 1.500 0 0 1-1.500-1.500v-3", "M9 9h6v6H9z"],
  devices: ["M4 7.500h9M17 7.500h3M4 16.500h3M11 16.500h9", "M15 5.500v4M9 14.500v4"],
  send: ["M12 19V5.500", "M6 11l6-6 6 6"],
  stop: ["M7.500 7.500h9v9h-9z"],
  end: ["M6.500 6.500l11 11M17.500 6.500l-11 11"],
  theme: ["M12 4a8 8 0 1 0 0 16z", "M12 4a8 8 0 0 1 0 16"],
  warn: ["M12 4.500l8.500 15h-17z", "M12 10v4.500M12 17v.2"],
  eye: ["M2.500 12.500C5 8.300 8.300 6.200 12 6.200s7 2.100 9.500 6.300", "M12 15.500a3 3 0 1 0 0-6 3 3 0 0 0 0 6z", "M4.500 18h15"],
  wave: ["M4 10.500v3M8 7.500v9M12 5v14M16 8.500v7M20 10.500v3"],
} as const;

export type IconName = keyof typeof PATHS;

/** An icon. It says nothing to a screen reader: the control that holds it has the label. */
export function icon(name: IconName): SVGElement {
  const paths = PATHS[name].map((d) => svg("path", { d }));
  return svg("svg", { viewBox: "0 0 24 24", class: "icon", "aria-hidden": "true" }, ...paths);
}
