// What a browser is shown of a folder: a list to follow, and a way to put files there. Works without its script but for that.
import type { ServerResponse } from "node:http";
import type { DavError } from "./dav-error.ts";
import { sendText, write } from "./exchange.ts";
import { hrefOf, type SharePath } from "./share-path.ts";
import type { Entry, SharedTree } from "./shared-tree.ts";

/** Hidden names are not shared, so this one is free. */
const ASSETS = "/.tsvdagent/";
const PAGE_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const GATHERED_CHARACTERS = 64 * 1024;

const style = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
body { margin: 0 auto; max-width: 60rem; padding: 1rem }
h1 { font-size: 1.25rem; overflow-wrap: anywhere }
table { border-collapse: collapse; width: 100% }
td { border-top: 1px solid #8884; padding: .25rem .5rem; overflow-wrap: anywhere }
td + td { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums }
.upload { display: flex; flex-wrap: wrap; gap: .5rem; align-items: center }
#told:not(:empty) { padding: .5rem 0 }
body.over { outline: 3px dashed; outline-offset: -6px }
`;

const script = `
const chosen = document.getElementById("files");
const told = document.getElementById("told");
async function put(file) {
  const target = new URL(encodeURIComponent(file.name), location.href);
  const there = await fetch(target, { method: "HEAD" });
  if (there.ok && !confirm(file.name + " is there already. Replace it?")) return undefined;
  const answer = await fetch(target, { method: "PUT", body: file });
  if (!answer.ok) throw new Error(file.name + ": " + answer.status + " " + answer.statusText);
  return file.name;
}
async function putAll(files) {
  let done = 0;
  try {
    for (const file of files) {
      told.textContent = "Uploading " + file.name + " …";
      if (await put(file)) done += 1;
    }
    if (done > 0) location.reload();
    else told.textContent = "";
  } catch (error) {
    told.textContent = "Not uploaded: " + error.message;
  }
}
if (chosen) {
  chosen.addEventListener("change", () => putAll([...chosen.files]));
  document.addEventListener("dragover", (event) => { event.preventDefault(); document.body.classList.add("over"); });
  document.addEventListener("dragleave", () => document.body.classList.remove("over"));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("over");
    putAll([...event.dataTransfer.files]);
  });
}
`;

const assets: Readonly<Record<string, readonly [string, string]>> = {
  [`${ASSETS}page.css`]: ["text/css; charset=utf-8", style],
  [`${ASSETS}page.js`]: ["text/javascript; charset=utf-8", script],
};

/** The page's own style and script. False: it is none of them. */
export function sendAsset(url: string, response: ServerResponse): boolean {
  const asset = Object.hasOwn(assets, url) ? assets[url] : undefined;
  if (asset === undefined) return false;
  response.setHeader("Cache-Control", "max-age=3600");
  sendText(response, 200, ...asset);
  return true;
}

export async function sendPage(
  response: ServerResponse,
  path: SharePath,
  tree: SharedTree,
  { isHead, canUpload }: { readonly isHead: boolean; readonly canUpload: boolean },
): Promise<void> {
  response.setHeader("Content-Security-Policy", PAGE_POLICY);
  response.setHeader("Cache-Control", "no-store");
  response.setHeader("Content-Type", "text/html; charset=utf-8");
  if (isHead) return void response.writeHead(200).end();
  const entries = tree.entries(path);
  try {
    // What cannot be listed is found out before anything is said.
    await sendEntries(response, path, await entries.next(), entries, canUpload);
  } finally {
    // Whoever leaves in the middle leaves a folder open.
    await entries.return(undefined);
  }
}

async function sendEntries(
  response: ServerResponse,
  path: SharePath,
  first: IteratorResult<Entry>,
  entries: AsyncGenerator<Entry>,
  canUpload: boolean,
): Promise<void> {
  response.writeHead(200);
  const title = path.length === 0 ? "Shared folders" : hrefText(path);
  let text = `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${htmlText(title)}</title><link rel="icon" href="data:,"><link rel="stylesheet" href="${ASSETS}page.css">
<script src="${ASSETS}page.js" defer></script></head><body>
<h1>${htmlText(title)}</h1>
`;
  if (canUpload && path.length > 0)
    text += `<p class="upload"><label for="files">Add files</label><input id="files" type="file" multiple></p>\n`;
  text += `<div id="told" role="status"></div>\n<table>\n`;
  if (path.length > 0)
    text += `<tr><td><a href="${hrefOf(path.slice(0, -1), true)}">..</a></td><td></td><td></td></tr>\n`;
  for (let next = first; next.done !== true; next = await entries.next()) {
    text += row(path, next.value);
    if (text.length < GATHERED_CHARACTERS) continue;
    await write(response, text);
    text = "";
  }
  response.end(`${text}</table></body></html>\n`);
}

function row(path: SharePath, { name, stats }: Entry): string {
  const isFolder = stats.isDirectory();
  const size = isFolder ? "" : sizeText(Number(stats.size));
  const href = hrefOf([...path, name], isFolder).replaceAll("'", "%27");
  return `<tr><td><a href="${href}">${htmlText(name)}${isFolder ? "/" : ""}</a></td><td>${size}</td><td>${dateText(Number(stats.mtimeMs))}</td></tr>\n`;
}

/** Empty for what no calendar has. */
function dateText(timeMs: number): string {
  const date = new Date(timeMs);
  return Number.isNaN(date.getTime()) ? "" : date.toISOString().slice(0, 16).replace("T", " ");
}

function sizeText(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  let value = bytes;
  for (; value >= 1024 && unit < units.length - 1; unit += 1) value /= 1024;
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

function hrefText(path: SharePath): string {
  return path.join(" / ");
}

function htmlText(text: string): string {
  return text.replace(/[&<>"']/g, (found) => `&#${found.charCodeAt(0)};`);
}

/** A page for an error that a person sees. */
export function errorText({ status, message, condition }: DavError): readonly [string, string] {
  if (condition === undefined) return ["text/plain; charset=utf-8", `${status}: ${message}\n`];
  const xml = `<?xml version="1.0" encoding="utf-8"?>\n<D:error xmlns:D="DAV:">${condition}</D:error>\n`;
  return ["application/xml; charset=utf-8", xml];
}
