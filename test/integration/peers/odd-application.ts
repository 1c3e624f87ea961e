/** An X application that does what no well-behaved one does, or what xclip cannot. */
import x11 from "x11";
import { within } from "./until.ts";

export interface OddOwner {
  /** What it says it offers; "nonsense": a list of targets that is none. */
  readonly targets: readonly string[] | "nonsense";
  /** What it does when one of them is asked for; or its texts, by target. */
  readonly answers: "never" | "refuse" | "no-property" | "stalled-incr" | "die" | Readonly<Record<string, string>>;
}

/** More than any property has. */
const MOST_LONGS = 1 << 24;
const PROPERTY_NOTIFY = 28;
const NEW_VALUE = 0;
const SELECTION_REQUEST = 30;
const SELECTION_NOTIFY = 31;
const PROPERTY_CHANGE_MASK = 1 << 22;
const REPLACE = 0;

interface Event {
  readonly type: number;
  readonly atom: number;
  readonly state: number;
  readonly requestor: number;
  readonly selection: number;
  readonly target: number;
  readonly property: number;
  readonly time: number;
}

export class OddApplication implements AsyncDisposable {
  readonly #client: x11.Client;
  readonly #window: number;
  readonly #atoms = new Map<string, number>();
  readonly #asked = new Set<number>();
  #listener: (event: Event) => void = () => {};

  private constructor(display: x11.Display) {
    this.#client = display.client;
    // The library keeps the atoms of all servers in one object.
    this.#client.atoms = Object.create(this.#client.atoms);
    this.#client.on("error", () => {});
    this.#client.on("event", (event) => this.#listener(event as unknown as Event));
    this.#window = this.#client.AllocID();
    const root = display.screen[0]?.root ?? 0;
    this.#client.CreateWindow(this.#window, root, 0, 0, 1, 1, 0, 0, 0, 0, { eventMask: PROPERTY_CHANGE_MASK });
  }

  static start(display: string): Promise<OddApplication> {
    return new Promise((resolve, reject) => {
      x11.createClient({ display, shm: false }, (error, connected) =>
        error ? reject(error) : resolve(new OddApplication(connected)),
      );
    });
  }

  /** Takes the clipboard. */
  async own({ targets, answers }: OddOwner): Promise<void> {
    const list = targets === "nonsense" ? [] : await Promise.all(targets.map((name) => this.#atom(name)));
    const [clipboard, targetsAtom, atom, incr, text] = await Promise.all(
      ["CLIPBOARD", "TARGETS", "ATOM", "INCR", "UTF8_STRING"].map((name) => this.#atom(name)),
    );
    const texts = new Map<number, string>();
    if (typeof answers === "object")
      for (const [name, given] of Object.entries(answers)) texts.set(await this.#atom(name), given);
    this.#listener = (event) => {
      if (event.type !== SELECTION_REQUEST) return;
      this.#asked.add(event.target);
      if (event.target === targetsAtom) {
        if (targets === "nonsense") this.#put(event, text ?? 0, 8, Buffer.from("no list"));
        else this.#put(event, atom ?? 0, 32, longs([targetsAtom ?? 0, ...list]));
        this.#notify(event, event.property);
      } else if (texts.has(event.target)) {
        this.#put(event, event.target, 8, Buffer.from(texts.get(event.target) ?? ""));
        this.#notify(event, event.property);
      } else if (answers === "refuse") this.#notify(event, 0);
      else if (answers === "no-property") this.#notify(event, event.property);
      else if (answers === "stalled-incr") {
        this.#put(event, incr ?? 0, 32, longs([1_000_000]));
        this.#notify(event, event.property);
      } else if (answers === "die") this.#client.stream.destroy();
    };
    this.#client.SetSelectionOwner(this.#window, clipboard ?? 0, 0);
    await this.#client.sync();
  }

  /** Whether anybody has asked for this target of what it has owned. */
  wasAskedFor(target: string): boolean {
    const atom = this.#atoms.get(target);
    return atom !== undefined && this.#asked.has(atom);
  }

  /** The owner's time of the clipboard, milliseconds of the server. */
  async timestamp(): Promise<number> {
    const { data } = await this.#convert("TIMESTAMP", []);
    return data.readUInt32LE(0);
  }

  /** The texts of several targets asked for at once; undefined where one is refused. */
  async multiple(targets: readonly string[]): Promise<readonly (string | undefined)[]> {
    const atoms = await Promise.all(targets.map((name) => this.#atom(name)));
    const places = await Promise.all(targets.map((_, index) => this.#atom(`ODD_${index}`)));
    const { data } = await this.#convert(
      "MULTIPLE",
      atoms.flatMap((atom, index) => [atom, places[index] ?? 0]),
    );
    return Promise.all(
      places.map(async (place, index) => {
        if (data.readUInt32LE(index * 8 + 4) === 0) return undefined;
        return (await this.#property(place)).data.toString();
      }),
    );
  }

  /** All of a target that is given at once. */
  async paste(target: string): Promise<string> {
    return (await this.#convert(target, [])).data.toString();
  }

  /** Asks for a target and then takes nothing of it. Returns the type of the answer. */
  async beginPaste(target: string): Promise<string> {
    const { type } = await this.#convert(target, []);
    return new Promise((resolve, reject) => {
      this.#client.GetAtomName(type, (error, name) => (error ? reject(error) : resolve(name)));
    });
  }

  /** Takes what it has begun to take, to its end. Returns how many bytes that were. */
  async takeRest(): Promise<number> {
    const place = await this.#atom("ODD_ANSWER");
    let bytes = 0;
    const ended = new Promise<void>((resolve, reject) => {
      this.#listener = (event) => {
        if (event.type !== PROPERTY_NOTIFY || event.atom !== place || event.state !== NEW_VALUE) return;
        this.#property(place, true).then(({ data }) => {
          bytes += data.length;
          if (data.length === 0) resolve();
        }, reject);
      };
    });
    // The sign to go on.
    await this.#property(place, true);
    await within("the end of what is pasted", ended, 20_000);
    return bytes;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client.stream.destroy();
  }

  async #convert(target: string, given: readonly number[]): Promise<x11.Property> {
    const [clipboard, atom, place, pair] = await Promise.all(
      ["CLIPBOARD", target, "ODD_ANSWER", "ATOM_PAIR"].map((name) => this.#atom(name)),
    );
    if (given.length > 0) {
      this.#client.ChangeProperty(REPLACE, this.#window, place ?? 0, pair ?? 0, 32, longs(given), () => true);
    }
    const answered = new Promise<Event>((resolve) => {
      this.#listener = (event) => {
        if (event.type === SELECTION_NOTIFY) resolve(event);
      };
    });
    this.#client.ConvertSelection(this.#window, clipboard ?? 0, atom ?? 0, place ?? 0, 0);
    const { property } = await within(`an answer to ${target}`, answered, 10_000);
    if (property === 0) throw new Error(`${target} was refused`);
    return this.#property(property);
  }

  /** Left where it is unless it is taken, which is the sign to go on. */
  #property(property: number, isTaken = false): Promise<x11.Property> {
    return new Promise((resolve, reject) => {
      this.#client.GetProperty(isTaken ? 1 : 0, this.#window, property, 0, 0, MOST_LONGS, (error, found) =>
        error ? reject(error) : resolve(found),
      );
    });
  }

  async #atom(name: string): Promise<number> {
    const known = this.#atoms.get(name);
    if (known !== undefined) return known;
    const atom = await new Promise<number>((resolve, reject) => {
      this.#client.InternAtom(false, name, (error, found) => (error ? reject(error) : resolve(found)));
    });
    this.#atoms.set(name, atom);
    return atom;
  }

  #put({ requestor, property }: Event, type: number, format: number, data: Buffer): void {
    this.#client.ChangeProperty(REPLACE, requestor, property, type, format, data, () => true);
  }

  #notify({ requestor, selection, target, time }: Event, property: number): void {
    const event = {
      type: SELECTION_NOTIFY,
      name: "SelectionNotify",
      seq: 0,
      time,
      requestor,
      selection,
      target,
      property,
    };
    this.#client.SendEvent(requestor, false, 0, event, () => true);
  }
}

function longs(values: readonly number[]): Buffer {
  const data = Buffer.alloc(values.length * 4);
  for (const [index, value] of values.entries()) data.writeUInt32LE(value >>> 0, index * 4);
  return data;
}
