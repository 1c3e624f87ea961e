// Properties that mean nothing to us and are kept for whoever set them: in memory, bounded, until the agent ends.
import { DavError } from "./dav-error.ts";
import { isWithin, keyOf, type SharePath } from "./share-path.ts";

const MAX_PROPERTIES = 20_000;
const MAX_CHARACTERS = 8 * 1024 * 1024;

export interface PropertyName {
  readonly namespace: string;
  readonly name: string;
}

interface DeadProperty extends PropertyName {
  /** The whole element. */
  readonly xml: string;
}

export type PropertyChange =
  | { readonly isSet: true; readonly property: DeadProperty }
  | { readonly isSet: false; readonly property: PropertyName };

export class DeadProperties {
  /** By path, then by name. */
  readonly #paths = new Map<string, Map<string, DeadProperty>>();
  #count = 0;
  #characters = 0;

  of(path: SharePath): readonly DeadProperty[] {
    return [...(this.#paths.get(keyOf(path))?.values() ?? [])];
  }

  get(path: SharePath, name: PropertyName): string | undefined {
    return this.#paths.get(keyOf(path))?.get(nameKey(name))?.xml;
  }

  /** All or nothing, one after the other. Throws a DavError 507 when there is no room. */
  change(path: SharePath, changes: readonly PropertyChange[]): void {
    const key = keyOf(path);
    const before = this.of(path);
    try {
      for (const { isSet, property } of changes) {
        if (isSet) this.#set(key, property);
        else this.#remove(key, nameKey(property));
      }
    } catch (error) {
      this.#forgetKey(key);
      for (const property of before) this.#set(key, property);
      throw error;
    }
  }

  forget(path: SharePath): void {
    for (const [key] of this.#within(path)) this.#forgetKey(key);
  }

  /**
   * What was copied or moved has what its source had, if `isDeep` with all below it; what there is no room for is left out.
   */
  copy(from: SharePath, to: SharePath, isDeep: boolean): void {
    const prefix = keyOf(from);
    for (const [key, properties] of this.#within(from)) {
      if (!isDeep && key !== prefix) continue;
      for (const property of [...properties.values()]) {
        if (this.#hasRoomFor(property)) this.#set(keyOf(to) + key.slice(prefix.length), property);
      }
    }
  }

  #within(path: SharePath): [string, Map<string, DeadProperty>][] {
    const prefix = keyOf(path);
    return [...this.#paths].filter(([key]) => isWithin(prefix, key));
  }

  #hasRoomFor({ xml }: DeadProperty): boolean {
    return this.#count < MAX_PROPERTIES && this.#characters + xml.length <= MAX_CHARACTERS;
  }

  #set(key: string, property: DeadProperty): void {
    this.#remove(key, nameKey(property));
    if (!this.#hasRoomFor(property)) throw new DavError(507, "there are too many properties");
    const properties = this.#paths.get(key) ?? new Map<string, DeadProperty>();
    this.#paths.set(key, properties.set(nameKey(property), property));
    this.#count += 1;
    this.#characters += property.xml.length;
  }

  #remove(key: string, name: string): void {
    const properties = this.#paths.get(key);
    const property = properties?.get(name);
    if (properties === undefined || property === undefined) return;
    properties.delete(name);
    if (properties.size === 0) this.#paths.delete(key);
    this.#count -= 1;
    this.#characters -= property.xml.length;
  }

  #forgetKey(key: string): void {
    for (const name of [...(this.#paths.get(key)?.keys() ?? [])]) this.#remove(key, name);
  }
}

function nameKey({ namespace, name }: PropertyName): string {
  return `${name} ${namespace}`;
}
