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
const ROTATE_270 = 8;
const IDENTITY: readonly number[] = [1, 0, 0, 0, 1, 0, 0, 0, 1];

export const noTurn: Turn = { rotation: ROTATE_0, transform: IDENTITY };

/** The rectangle is as large as the picture. */
export function isPlain(turn: Turn | undefined): boolean {
  return turn === undefined || (!isSideways(turn) && turn.transform.every((value, index) => value === IDENTITY[index]));
}

/** Pixels of the desktop that a picture of this size shows. */
export function turnedSize({ width, height }: Size, turn: Turn): Size {
  const [across, down] = isSideways(turn) ? [height, width] : [width, height];
  const corners = [
    [0, 0],
    [across, 0],
    [0, down],
    [across, down],
  ].map(([x = 0, y = 0]) => {
    const [a = 1, b = 0, c = 0, d = 0, e = 1, f = 0, g = 0, h = 0, i = 1] = turn.transform;
    const depth = g * x + h * y + i;
    return [(a * x + b * y + c) / depth, (d * x + e * y + f) / depth] as const;
  });
  const [xs, ys] = [corners.map(([x]) => x), corners.map(([, y]) => y)];
  return {
    width: Math.ceil(Math.max(...xs)) - Math.floor(Math.min(...xs)),
    height: Math.ceil(Math.max(...ys)) - Math.floor(Math.min(...ys)),
  };
}

function isSideways({ rotation }: Turn): boolean {
  return (rotation & (ROTATE_90 | ROTATE_270)) !== 0;
}
