/** Where the code of our own worker threads lies: beside this file, in the same form as this file. */
export function threadEntryUrl(): URL {
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  return new URL(`./thread/entry.${extension}`, import.meta.url);
}
