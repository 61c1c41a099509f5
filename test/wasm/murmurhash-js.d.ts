/** The two oracles that come without types. */
declare module "murmurhash-js" {
  const hashes: { murmur3(text: string, seed: number): number };
  export = hashes;
}

declare module "kafkajs/src/producer/partitioners/default/murmur2.js" {
  function murmur2(key: Uint8Array): number;
  export = murmur2;
}
