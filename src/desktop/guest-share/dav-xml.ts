// XML as WebDAV wants it: read within bounds and without a document type, written with every namespace spelled out.
import { SaxesParser } from "saxes";
import { DavError } from "./dav-error.ts";

export const DAV = "DAV:";
const MAX_DEPTH = 64;
const MAX_ELEMENTS = 10_000;

interface XmlAttribute {
  readonly namespace: string;
  readonly name: string;
  readonly value: string;
}

export interface XmlElement {
  readonly namespace: string;
  readonly name: string;
  readonly attributes: readonly XmlAttribute[];
  readonly children: (XmlElement | string)[];
}

/** The root element. Throws a DavError 400 for what is not well formed, has a document type, or goes too far. */
export function parseXml(bytes: Uint8Array): XmlElement {
  const parser = new SaxesParser({ xmlns: true });
  const open: XmlElement[] = [];
  let root: XmlElement | undefined;
  let count = 0;
  const text = (piece: string): void => void open.at(-1)?.children.push(piece);
  parser.on("error", () => {
    throw new DavError(400, "the XML is not well formed");
  });
  parser.on("doctype", () => {
    throw new DavError(400, "a document type has no place here");
  });
  parser.on("opentag", ({ uri, local, attributes }) => {
    count += 1;
    if (open.length >= MAX_DEPTH || count > MAX_ELEMENTS) throw new DavError(400, "the XML goes too far");
    const kept = Object.values(attributes).filter(({ prefix, name }) => prefix !== "xmlns" && name !== "xmlns");
    const element: XmlElement = {
      namespace: uri,
      name: local,
      attributes: kept.map((attribute) => ({
        namespace: attribute.uri,
        name: attribute.local,
        value: attribute.value,
      })),
      children: [],
    };
    open.at(-1)?.children.push(element);
    root ??= element;
    open.push(element);
  });
  parser.on("closetag", () => void open.pop());
  parser.on("text", text);
  parser.on("cdata", text);
  try {
    parser.write(new TextDecoder("utf-8", { fatal: true }).decode(bytes)).close();
  } catch (error) {
    if (error instanceof TypeError) throw new DavError(400, "the XML is not UTF-8");
    throw error;
  }
  if (root === undefined) throw new DavError(400, "the XML has no element");
  return root;
}

export function childElements(element: XmlElement): XmlElement[] {
  return element.children.filter((child) => typeof child !== "string");
}

/** The child of that name in DAV:. */
export function davChild(element: XmlElement, name: string): XmlElement | undefined {
  return childElements(element).find((child) => child.namespace === DAV && child.name === name);
}

export function isDav(element: XmlElement, name: string): boolean {
  return element.namespace === DAV && element.name === name;
}

/** XML has no way at all to say most control characters, which a file's name may hold. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: those are meant.
const UNSPEAKABLE = /[\0-\x08\v\f\x0e-\x1f\ufffe\uffff]/g;

export function xmlText(text: string): string {
  return text.replace(UNSPEAKABLE, "\ufffd").replace(/[&<>"\r]/g, (found) => `&#${found.charCodeAt(0)};`);
}

/** An element as it can stand anywhere. */
export function writeXml(element: XmlElement): string {
  const inner = element.children
    .map((child) => (typeof child === "string" ? xmlText(child) : writeXml(child)))
    .join("");
  return emptyElement(element, inner);
}

export function emptyElement({ namespace, name, attributes }: Omit<XmlElement, "children">, inner = ""): string {
  const written = attributes.map((attribute, index) => {
    const value = `="${xmlText(attribute.value)}"`;
    if (attribute.namespace === "") return ` ${attribute.name}${value}`;
    // The prefix xml is bound for good.
    if (attribute.namespace === "http://www.w3.org/XML/1998/namespace") return ` xml:${attribute.name}${value}`;
    return ` xmlns:a${index}="${xmlText(attribute.namespace)}" a${index}:${attribute.name}${value}`;
  });
  const start = `${name} xmlns="${xmlText(namespace)}"${written.join("")}`;
  return inner === "" ? `<${start}/>` : `<${start}>${inner}</${name}>`;
}
