// The ABI of the kernel. Every export takes and returns u32; see layout.ts for the memory they work
// on.

export { crc32c, makeTables } from "./crc32c";
export { frames } from "./frames";
export { finish, group } from "./group";
export { murmur2, murmur3, xxh32 } from "./hash";
export { abiVersion } from "./layout";
export { pack } from "./pack";
export { place, reduce } from "./reduce";
