/** Form of the output of this process. */
let isJson = false;

/** Makes every console of this process print JSON lines, on a terminal too, and errors as JSON. */
export function askForJson(): void {
  isJson = true;
}

export function jsonIsAsked(): boolean {
  return isJson;
}
