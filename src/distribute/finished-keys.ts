/** Key hashes of finished messages, told to the kernel with the next batch (H6). */
export class FinishedKeys {
  hashes: Uint32Array = new Uint32Array(1024);
  count = 0;

  push(hash: number): void {
    if (this.count === this.hashes.length) {
      const larger = new Uint32Array(this.count * 2);
      larger.set(this.hashes);
      this.hashes = larger;
    }
    this.hashes[this.count++] = hash;
  }

  take(): number {
    const { count } = this;
    this.count = 0;
    return count;
  }
}
