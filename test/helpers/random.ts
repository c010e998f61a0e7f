/** Random numbers that can be had again: set DEVBOX_TEST_SEED to the number that a failed run printed. */

export interface RandomNumbers {
  readonly seed: number;
  /** 0 ≤ x < 1. */
  next(): number;
}

/** A linear congruential generator (the constants of glibc's rand_r family): good enough to choose moments. */
export function randomNumbers(): RandomNumbers {
  const seed = Number(process.env["DEVBOX_TEST_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
  let state = seed;
  return {
    seed,
    next() {
      state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
      return state / 2 ** 31;
    },
  };
}
