// SPDX-License-Identifier: MIT OR Apache-2.0
// A stand-in for the server's HTTP side, for tests of the page alone: files, and answers to calls as a test wants them.
import { createReadStream, existsSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { dirname, extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { MEMORY, TOKEN, picture } from "../mock/memory.mjs";

const DIST = join(dirname(fileURLToPath(import.meta.url)), "../../../web/dist");
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" };
/** The page must run under this: nothing inline, nothing from elsewhere. */
const CSP = "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; frame-ancestors 'none'";

export function haveDist() {
  return existsSync(join(DIST, "index.html"));
}

/**
 * Starts it on a free port. `calls` is what it was asked; `reply` decides the answer to the next offers. `pictures` are the
 * keyframes that were asked for with the right token; `picture` may give others than the drawn ones, as [type, bytes].
 */
export async function startStatic() {
  const state = { calls: [], ended: [], made: 0, alive: true, reply: null, pictures: [], picture: null };
  const server = createServer(async (request, response) => {
    const url = new URL(request.url, "http://x");
    if (url.pathname.startsWith("/v1/realtime/calls")) {
      const body = await text(request);
      if (request.method === "DELETE" || url.pathname.endsWith("/hangup")) {
        state.ended.push({ method: request.method, path: url.pathname });
        return response.writeHead(200).end();
      }
      state.calls.push({ body, query: url.search, type: request.headers["content-type"], key: request.headers.authorization });
      const [status, headers, answer] = state.reply?.(state.calls.length) ?? [];
      if (status) return response.writeHead(status, headers).end(answer);
      state.made += 1;
      return response.writeHead(201, { "Content-Type": "application/sdp", Location: `/v1/realtime/calls/rtc_mock${state.made}` }).end("v=0\r\n");
    }
    const keyframe = url.pathname.match(/^\/v1\/sessions\/([^/]+)\/keyframes\/([^/]+)$/);
    if (keyframe) {
      if (keyframe[1] !== MEMORY || url.searchParams.get("access_token") !== TOKEN) return response.writeHead(404).end();
      state.pictures.push(keyframe[2]);
      const [type, bytes] = state.picture?.(keyframe[2]) ?? ["image/svg+xml", picture(keyframe[2])];
      return response.writeHead(200, { "Content-Type": type }).end(bytes);
    }
    if (url.pathname === "/v1/realtime/ice_servers") return response.writeHead(200, { "Content-Type": "application/json" }).end('{"ice_servers":[],"expires_at":null}');
    if (url.pathname === "/healthz") return response.writeHead(state.alive ? 200 : 503).end();
    sendFile(url.pathname, response);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${server.address().port}`;
  return { url, state, close: () => (server.closeAllConnections(), new Promise((resolve) => server.close(resolve))) };
}

async function text(request) {
  let all = "";
  for await (const part of request) all += part;
  return all;
}

function sendFile(path, response) {
  const file = join(DIST, normalize(path === "/" ? "/index.html" : path));
  if (!file.startsWith(DIST) || !existsSync(file) || !statSync(file).isFile()) return response.writeHead(404).end();
  response.writeHead(200, { "Content-Type": TYPES[extname(file)] ?? "application/octet-stream", "Content-Security-Policy": CSP });
  createReadStream(file).pipe(response);
}
