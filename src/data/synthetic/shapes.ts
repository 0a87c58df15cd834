/**
 * Plane figures, tested point by point on whole numbers. Coordinates stay below 2^14 and every product below 2^53, so
 * the arithmetic is exact and a figure covers the same points on every machine.
 */

/** Whether (x, y) lies in the ellipse with the given centre and half axes. */
export function inEllipse(
  x: number,
  y: number,
  centreX: number,
  centreY: number,
  halfWidth: number,
  halfHeight: number,
): boolean {
  const dx = (x - centreX) * halfHeight;
  const dy = (y - centreY) * halfWidth;
  const radius = halfWidth * halfHeight;
  return dx * dx + dy * dy <= radius * radius;
}

/** Whether (x, y) lies in the convex polygon `[x0, y0, x1, y1, …]`, corners clockwise on a screen (y down). */
export function inPolygon(x: number, y: number, corners: readonly number[]): boolean {
  let fromX = corners[corners.length - 2]!;
  let fromY = corners[corners.length - 1]!;
  for (let index = 0; index < corners.length; index += 2) {
    const toX = corners[index]!;
    const toY = corners[index + 1]!;
    if ((toX - fromX) * (y - fromY) - (toY - fromY) * (x - fromX) < 0) return false;
    fromX = toX;
    fromY = toY;
  }
  return true;
}

/** Whether (x, y) lies within `halfWidth` of the segment's line and between its ends. */
export function inBar(
  x: number,
  y: number,
  fromX: number,
  fromY: number,
  toX: number,
  toY: number,
  halfWidth: number,
): boolean {
  const alongX = toX - fromX;
  const alongY = toY - fromY;
  const along = (x - fromX) * alongX + (y - fromY) * alongY;
  const lengthSquared = alongX * alongX + alongY * alongY;
  if (along < 0 || along > lengthSquared) return false;
  const across = (x - fromX) * alongY - (y - fromY) * alongX;
  return across * across <= halfWidth * halfWidth * lengthSquared;
}
