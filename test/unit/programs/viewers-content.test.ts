// The viewer's own content known again when an application offers it.
import { beforeEach, describe, expect, test } from "vitest";
import type { Content } from "../../../src/features/desktop-clipboard.ts";
import { ViewersContent } from "../../../src/programs/viewers-content.ts";
import { BackendError } from "../../../src/support/errors.ts";
import { ClipboardSelection, ClipboardType } from "../../../src/wire/agent-constants.ts";

const { CLIPBOARD, PRIMARY } = ClipboardSelection;
const { UTF8_TEXT: TEXT, IMAGE_PNG: PNG, IMAGE_BMP: BMP } = ClipboardType;

/** A PNG of a width that is written in eight digits; the words behind the colon are what it shows. */
const png = (encoding: string, shows: string, width = 1): string =>
  `${"".padEnd(16, "-")}${String(width).padStart(8, "0")}${encoding}:${shows}`;
const never = new AbortController().signal;

let known: ViewersContent;
let looks: number;
beforeEach(() => {
  looks = 0;
  known = new ViewersContent(async (content) => {
    let file = "";
    for await (const piece of content) file += Buffer.from(piece).toString();
    looks += 1;
    const shown = file.split(":")[1];
    if (shown === undefined) throw new BackendError("clipboard.image-refused", "no PNG");
    return shown;
  });
});

async function* pieces(...texts: string[]): Content {
  for (const text of texts) yield Buffer.from(text);
}

async function isGiven(type: number, ...texts: string[]): Promise<void> {
  let taken = "";
  for await (const piece of known.noted(CLIPBOARD, type, pieces(...texts))) taken += Buffer.from(piece).toString();
  expect(taken).toBe(texts.join(""));
}

/** Whether it is taken for the viewer's, offered as these types with these contents. */
function isOffered(contents: ReadonlyMap<number, Content>, selection = CLIPBOARD as ClipboardSelection) {
  return known.isOffered(selection, [...contents.keys()], (type) => contents.get(type) ?? pieces(), never);
}

/** A file that can be read as often as it is asked for. */
const file = (content: string): Content => ({ [Symbol.asyncIterator]: () => pieces(content)[Symbol.asyncIterator]() });
const picture = (content: string): ReadonlyMap<number, Content> => new Map([[PNG, file(content)]]);
const text = (...texts: string[]): ReadonlyMap<number, Content> => new Map([[TEXT, pieces(...texts)]]);

describe("row 64: what an application offers is the viewer's", () => {
  test("when it is the same, in whatever pieces", async () => {
    await isGiven(TEXT, "the same ", "text");
    expect(await isOffered(text("the ", "same", " text"))).toBe(true);
    expect(await isOffered(text("the same text"))).toBe(true);
  });

  test("when nothing is in it and nothing was given", async () => {
    await isGiven(TEXT);
    expect(await isOffered(text())).toBe(true);
    expect(await isOffered(text("something"))).toBe(false);
  });

  test("in each form in which it was given", async () => {
    await isGiven(TEXT, "copy\nfile:///a");
    await isGiven(TEXT, "file:///a");
    expect(await isOffered(text("copy\nfile:///a"))).toBe(true);
    expect(await isOffered(text("file:///a"))).toBe(true);
  });

  test("when fewer pictures are offered than were given", async () => {
    await isGiven(PNG, "png");
    await isGiven(BMP, "bmp");
    expect(await isOffered(new Map([[BMP, pieces("bmp")]]))).toBe(true);
  });

  test("when a picture is offered in more forms, the given one among them", async () => {
    await isGiven(PNG, "png");
    expect(
      await isOffered(
        new Map([
          [PNG, pieces("png")],
          [BMP, pieces("the same as bmp")],
        ]),
      ),
    ).toBe(true);
  });
});

describe("row 64: a picture that an application has encoded anew", () => {
  test("is the viewer's where it shows the same, and is known by its bytes where it is offered again", async () => {
    await isGiven(PNG, png("viewer's", "a cat"));
    expect(await isOffered(picture(png("manager's", "a cat")))).toBe(true);
    expect(await isOffered(picture(png("another manager's", "a cat")))).toBe(true);
    expect(looks).toBe(3);
    expect(await isOffered(picture(png("viewer's", "a cat")))).toBe(true);
    expect(looks).toBe(3);
  });

  test("is its own where it shows something else", async () => {
    await isGiven(PNG, png("viewer's", "a cat"));
    expect(await isOffered(picture(png("editor's", "a cat with a hat")))).toBe(false);
    expect(looks).toBe(2);
  });

  test("is its own where it is larger: that is seen before it is read", async () => {
    await isGiven(PNG, png("viewer's", "a cat", 300));
    expect(await isOffered(picture(png("editor's", "a cat", 301)))).toBe(false);
    expect(looks).toBe(0);
  });

  test("is its own where text is beside it", async () => {
    await isGiven(PNG, png("viewer's", "a cat"));
    const both = new Map([...picture(png("manager's", "a cat")), ...text("a word about it")]);
    expect(await isOffered(both)).toBe(false);
  });

  test("is its own where the viewer's was given in part only, as another kind, or before something else", async () => {
    for await (const _ of known.noted(CLIPBOARD, PNG, pieces(png("viewer's", "a "), "cat"))) break;
    expect(await isOffered(picture(png("manager's", "a cat")))).toBe(false);
    await isGiven(BMP, png("viewer's", "a cat"));
    expect(await isOffered(picture(png("manager's", "a cat")))).toBe(false);
    await isGiven(PNG, png("viewer's", "a cat"));
    known.replaced(CLIPBOARD);
    expect(await isOffered(picture(png("manager's", "a cat")))).toBe(false);
    expect(looks).toBe(0);
  });

  test("cannot be told from another where the viewer's is none: that is thrown, at every look", async () => {
    await isGiven(PNG, "no PNG, but long enough to be one");
    for (let look = 0; look < 2; look += 1)
      await expect(isOffered(picture("no PNG, but long enough to be another"))).rejects.toMatchObject({
        code: "clipboard.image-refused",
      });
  });
});

describe("row 64: what an application offers is its own", () => {
  test.each([
    ["other text of the same length", "the sane text"],
    ["less", "the same"],
    ["more", "the same text!"],
  ])("%s", async (_, offered) => {
    await isGiven(TEXT, "the same text");
    expect(await isOffered(text(offered))).toBe(false);
  });

  test("a text beside the picture that was given", async () => {
    await isGiven(PNG, "png");
    expect(
      await isOffered(
        new Map([
          [PNG, pieces("png")],
          [TEXT, pieces("a word about it")],
        ]),
      ),
    ).toBe(false);
  });

  test("the same on another selection", async () => {
    await isGiven(TEXT, "text");
    expect(await isOffered(text("text"), PRIMARY)).toBe(false);
  });

  test("what the viewer had before something else", async () => {
    await isGiven(TEXT, "text");
    known.replaced(CLIPBOARD);
    expect(known.wasGiven(CLIPBOARD)).toBe(false);
    expect(await isOffered(text("text"))).toBe(false);
  });

  test("what was on its way when something else came", async () => {
    const late = known.noted(CLIPBOARD, TEXT, pieces("late"));
    known.replaced(CLIPBOARD);
    await isGiven(TEXT, "new");
    for await (const _ of late);
    expect(await isOffered(text("late"))).toBe(false);
  });

  test("what was given in part only", async () => {
    for await (const _ of known.noted(CLIPBOARD, TEXT, pieces("half", " of it"))) break;
    expect(await isOffered(text("half"))).toBe(false);
  });

  test("what is longer is not read to its end", async () => {
    await isGiven(TEXT, "short");
    let taken = 0;
    const endless = (async function* () {
      for (;;) {
        taken += 1;
        yield Buffer.from("piece ");
      }
    })();
    expect(await isOffered(new Map([[TEXT, endless]]))).toBe(false);
    expect(taken).toBeLessThanOrEqual(2);
  });
});

test("a picture that cannot be decoded leaves nothing of what is offered untaken", async () => {
  await isGiven(PNG, png("no colon", "").replaceAll(":", " "));
  let open = 0;
  const offered = async function* (): Content {
    open += 1;
    try {
      yield* pieces(png("another", "a cat").slice(0, 30), png("another", "a cat").slice(30));
    } finally {
      open -= 1;
    }
  };
  const content: Content = { [Symbol.asyncIterator]: () => offered()[Symbol.asyncIterator]() };
  for (let round = 0; round < 3; round += 1) {
    await expect(isOffered(new Map([[PNG, content]]))).rejects.toThrow("no PNG");
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(open).toBe(0);
});
