import { createSignal } from 'solid-js'

export interface LassoOptions {
  /** of a pointer on the map, CSS pixels */
  position: (event: MouseEvent) => [number, number]
  /** whether this press begins a lasso */
  starts: (event: PointerEvent) => boolean
  onEnd: (line: [number, number][]) => void
}

/** Least distance between two corners, CSS pixels. */
const apart = 4

/** A line drawn around points while a pointer is down. */
export function createLasso({ position, starts, onEnd }: LassoOptions) {
  const [line, setLine] = createSignal<[number, number][]>([])
  let pointer: number | undefined
  const stop = () => {
    pointer = undefined
    setLine([])
  }
  return {
    /** corners so far, tracked */
    line,
    start(event: PointerEvent): void {
      if (pointer !== undefined || event.button !== 0 || !starts(event)) return
      pointer = event.pointerId
      ;(event.currentTarget as HTMLElement).setPointerCapture(pointer)
      setLine([position(event)])
    },
    /** @returns whether a lasso is being drawn */
    move(event: PointerEvent): boolean {
      if (pointer === undefined) return false
      if (event.pointerId !== pointer) return true
      const to = position(event)
      const last = line()[line().length - 1]
      if (Math.hypot(to[0] - last[0], to[1] - last[1]) >= apart) setLine([...line(), to])
      return true
    },
    end(event: PointerEvent): void {
      if (event.pointerId !== pointer) return
      const drawn = line()
      stop()
      // A press without a line is no lasso.
      if (drawn.length > 2) onEnd(drawn)
    },
    cancel: stop,
  }
}
