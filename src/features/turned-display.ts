// A display that its user has turned, mirrored or scaled: its rectangle on the desktop is not what the viewer sees.

export interface Size {
  readonly width: number;
  readonly height: number;
}

export interface Turn {
  /** RandR's Rotation: 1, 2, 4, 8 for quarter turns, 16 and 32 for reflections. */
  readonly rotation: number;
  /** RandR's transform, 3 by 3, row by row: from the picture to the desktop. */
  readonly transform: readonly number[];
}

const ROTATE_0 = 1;
const ROTATE_90 = 2;
const ROTATE_180 = 4;
const ROTATE_270 = 8;
const REFLECT_X = 16;
const REFLECT_Y = 32;
const IDENTITY: readonly number[] = [1, 0, 0, 0, 1, 0, 0, 0, 1];

export const noTurn: Turn = { rotation: ROTATE_0, transform: IDENTITY };

/** The rectangle is as large as the picture. */
export function isPlain(turn: Turn | undefined): boolean {
  return turn === undefined || (!isSideways(turn) && turn.transform.every((value, index) => value === IDENTITY[index]));
}

/** A place of the picture is the same place of the rectangle. */
export function isUpright(turn: Turn | undefined): boolean {
  return turn === undefined || (turn.rotation === ROTATE_0 && isPlain(turn));
}

/** Pixels of the desktop that a picture of this size shows. */
export function turnedSize({ width, height }: Size, turn: Turn): Size {
  const [across, down] = isSideways(turn) ? [height, width] : [width, height];
  const corners = [
    [0, 0],
    [across, 0],
    [0, down],
    [across, down],
  ].map(([x = 0, y = 0]) => transformed(x, y, turn.transform));
  const [xs, ys] = [corners.map(([x]) => x), corners.map(([, y]) => y)];
  return {
    width: Math.ceil(Math.max(...xs)) - Math.floor(Math.min(...xs)),
    height: Math.ceil(Math.max(...ys)) - Math.floor(Math.min(...ys)),
  };
}

/** The pixel of the display's rectangle that shows at a pixel of the picture. */
export function ontoDesktop(
  x: number,
  y: number,
  picture: Size,
  turn: Turn,
): { readonly x: number; readonly y: number } {
  // The middle of the pixel: its corner belongs to another one when it is turned.
  const [across, down] = rotated(x + 0.5, y + 0.5, picture, turn.rotation);
  const [left, top] = transformed(across, down, turn.transform);
  return { x: Math.floor(left), y: Math.floor(top) };
}

/** As the X server does it: a quarter turn first, then what is mirrored. */
function rotated(x: number, y: number, { width, height }: Size, rotation: number): readonly [number, number] {
  let [across, down, wide, high] = [x, y, width, height];
  if ((rotation & ROTATE_90) !== 0) [across, down, wide, high] = [height - y, x, height, width];
  else if ((rotation & ROTATE_180) !== 0) [across, down] = [width - x, height - y];
  else if ((rotation & ROTATE_270) !== 0) [across, down, wide, high] = [y, width - x, height, width];
  return [(rotation & REFLECT_X) === 0 ? across : wide - across, (rotation & REFLECT_Y) === 0 ? down : high - down];
}

function transformed(x: number, y: number, transform: readonly number[]): readonly [number, number] {
  const [a = 1, b = 0, c = 0, d = 0, e = 1, f = 0, g = 0, h = 0, i = 1] = transform;
  const depth = g * x + h * y + i;
  return [(a * x + b * y + c) / depth, (d * x + e * y + f) / depth];
}

function isSideways({ rotation }: Turn): boolean {
  return (rotation & (ROTATE_90 | ROTATE_270)) !== 0;
}
