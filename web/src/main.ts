// SPDX-License-Identifier: MIT OR Apache-2.0
import "./styles/base.css";
import "./styles/layout.css";
import "./styles/picture.css";
import "./styles/latency.css";
import "./styles/talk.css";
import "./styles/timeline_strip.css";
import "./styles/timeline.css";
import "./styles/memory_card.css";
import "./styles/small.css";
import { App } from "./ui/app";
import { readParams } from "./ui/params";

const root = document.getElementById("app");
if (root) new App(root, readParams(location.search));
