// The part of the `x11` package that is used here; it has no types of its own.
declare module "x11" {
  type Callback<T> = (error: Error | null | undefined, result: T) => unknown;

  interface Display {
    readonly client: Client;
    readonly screen: readonly { readonly root: number; readonly root_visual: number }[];
    readonly max_request_length: number;
    readonly resource_mask: number;
  }

  interface Client {
    readonly stream: import("node:net").Socket;
    readonly eventParsers: Record<
      number,
      (type: number, seq: number, extra: number, code: number, raw: Buffer) => RawEvent
    >;
    seq_num: number;
    /** A request is put piece by piece, after its number was taken, and then submitted. */
    readonly pack_stream: { put(bytes: Buffer): void; submit(): void };
    /** By name; what is found here is not asked of the server. */
    atoms: Readonly<Record<string, number>>;
    on(event: "error", listener: (error: RequestFailure) => void): void;
    on(event: "event", listener: (event: RawEvent) => void): void;
    require(extension: "randr", callback: Callback<Randr>): void;
    require(extension: "fixes", callback: Callback<Fixes>): void;
    sync(): Promise<void>;
    AllocID(): number;
    CreateWindow(
      id: number,
      parent: number,
      x: number,
      y: number,
      width: number,
      height: number,
      border: number,
      depth: number,
      klass: number,
      visual: number,
      values: { eventMask?: number },
    ): void;
    ChangeWindowAttributes(window: number, values: { eventMask: number }, callback: Callback<null>): void;
    InternAtom(onlyIfExists: boolean, name: string, callback: Callback<number>): void;
    GetAtomName(atom: number, callback: Callback<string>): void;
    GetProperty(
      remove: 0 | 1,
      window: number,
      property: number,
      type: number,
      longOffset: number,
      longLength: number,
      callback: Callback<Property>,
    ): void;
    ChangeProperty(
      mode: number,
      window: number,
      property: number,
      type: number,
      units: number,
      data: Buffer,
      callback: Callback<null>,
    ): void;
    DeleteProperty(window: number, property: number, callback?: Callback<null>): void;
    SetSelectionOwner(owner: number, selection: number, time?: number): void;
    GetSelectionOwner(selection: number, callback: Callback<number>): void;
    ConvertSelection(requestor: number, selection: number, target: number, property: number, time: number): void;
    SendEvent(
      destination: number,
      propagate: boolean,
      eventMask: number,
      event: Buffer | object,
      callback: Callback<null>,
    ): void;
    GetGeometry(drawable: number, callback: Callback<{ readonly width: number; readonly height: number }>): void;
    GrabServer(): void;
    UngrabServer(): void;
  }

  /** An X error. Extension requests without a reply are told apart by `seq`. */
  interface RequestFailure extends Error {
    readonly seq?: number;
    readonly error?: number;
    readonly majorOpcode?: number;
    readonly minorOpcode?: number;
  }

  interface Property {
    readonly type: number;
    readonly format: number;
    readonly bytesAfter: number;
    readonly data: Buffer;
  }

  interface RawEvent {
    readonly type: number;
    readonly [field: string]: unknown;
  }

  interface Fixes {
    readonly firstEvent: number;
    SelectSelectionInput(window: number, selection: number, mask: number): void;
  }

  interface ScreenResources {
    readonly config_timestamp: number;
    readonly crtcs: readonly number[];
    readonly outputs: readonly number[];
    readonly modeinfos: readonly ModeInfo[];
  }

  interface ModeTiming {
    readonly width: number;
    readonly height: number;
    readonly dot_clock: number;
    readonly h_sync_start: number;
    readonly h_sync_end: number;
    readonly h_total: number;
    readonly v_sync_start: number;
    readonly v_sync_end: number;
    readonly v_total: number;
    readonly name: string;
  }

  interface ModeInfo extends ModeTiming {
    readonly id: number;
  }

  interface OutputInfo {
    readonly crtc: number;
    readonly connection: number;
    readonly crtcs: readonly number[];
    readonly modes: readonly number[];
    /** How many of the modes, from the first on, are preferred. */
    readonly preferredModes: number;
    readonly name: string;
  }

  interface CrtcTransform {
    /** 3 by 3, row by row. */
    readonly currentTransform: readonly number[];
  }

  interface OutputProperty {
    readonly format: number;
    readonly data: Buffer;
  }

  interface CrtcInfo {
    readonly x: number;
    readonly y: number;
    readonly width: number;
    readonly height: number;
    readonly mode: number;
    readonly rotation: number;
    readonly output: readonly number[];
  }

  interface ScreenSizeRange {
    readonly minWidth: number;
    readonly minHeight: number;
    readonly maxWidth: number;
    readonly maxHeight: number;
  }

  interface Randr {
    readonly firstEvent: number;
    readonly majorOpcode: number;
    SelectInput(window: number, mask: number): void;
    QueryVersion(major: number, minor: number, callback: Callback<readonly [number, number]>): void;
    GetScreenResourcesCurrent(window: number, callback: Callback<ScreenResources>): void;
    GetOutputInfo(output: number, timestamp: number, callback: Callback<OutputInfo>): void;
    GetCrtcInfo(crtc: number, timestamp: number, callback: Callback<CrtcInfo>): void;
    GetCrtcTransform(crtc: number, callback: Callback<CrtcTransform>): void;
    GetOutputProperty(
      output: number,
      property: number,
      type: number,
      longOffset: number,
      longLength: number,
      remove: boolean,
      pending: boolean,
      callback: Callback<OutputProperty>,
    ): void;
    GetScreenSizeRange(window: number, callback: Callback<ScreenSizeRange>): void;
    SetScreenSize(window: number, width: number, height: number, widthMm: number, heightMm: number): void;
    CreateMode(window: number, mode: ModeTiming, callback: Callback<number>): void;
    DestroyMode(mode: number): void;
    AddOutputMode(output: number, mode: number): void;
    DeleteOutputMode(output: number, mode: number): void;
    SetCrtcConfig(
      crtc: number,
      timestamp: number,
      configTimestamp: number,
      x: number,
      y: number,
      mode: number,
      rotation: number,
      outputs: readonly number[],
      callback: Callback<{ status: number }>,
    ): void;
  }

  interface ConnectOptions {
    display: string;
    stream?: import("node:net").Socket;
    /** Undefined: looked up in the Xauthority file. */
    auth?: { readonly name: string; readonly data: string } | undefined;
    shm: false;
  }

  function createClient(options: ConnectOptions, callback: Callback<Display>): Client;
  function parseDisplay(display: string): {
    readonly protocol: string;
    readonly host: string;
    readonly displayNum: string | number;
  };
}
