/** Where drawing everything takes too long, fewer points are drawn while the map moves, and all of them when it rests. */
export interface Pace {
  /** points to draw in a frame of a movement */
  budget(): number
  /** @param now time of a frame of a movement, milliseconds */
  frame(now: number): void
  /** the movement has ended */
  rest(): void
}

/** Frames slower than this halve the number of points, faster ones double it; milliseconds. */
const slow = 45
const quick = 25

/** Never fewer points than these. */
const least = 6000

/** @param points how many there are */
export function createPace(points: number): Pace {
  let budget = points
  let last: number | undefined
  return {
    budget: () => budget,
    frame(now) {
      const taken = last === undefined ? undefined : now - last
      last = now
      if (taken === undefined) return
      if (taken > slow) budget = Math.max(Math.ceil(budget / 2), Math.min(least, points))
      else if (taken < quick) budget = Math.min(budget * 2, points)
    },
    rest() {
      last = undefined
    },
  }
}
