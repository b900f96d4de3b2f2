import { useParams } from '@solidjs/router'
import { createContext, type JSX, useContext } from 'solid-js'
import type { RunInfo } from '../../src/server/protocol'

const RunsContext = createContext<() => RunInfo[]>(() => [])

export const ProvideRuns = (props: { runs: RunInfo[]; children: JSX.Element }) => (
  <RunsContext.Provider value={() => props.runs}>{props.children}</RunsContext.Provider>
)

/** All served runs. */
export const useRuns = (): (() => RunInfo[]) => useContext(RunsContext)

/** The run that the address names; undefined where there is none of that name. */
export function useRun(): () => RunInfo | undefined {
  const params = useParams<{ run: string }>()
  const runs = useRuns()
  return () => runs().find(({ run }) => run === params.run)
}

/** Addresses of the app. */
export const address = {
  overview: (run: string) => `/${run}`,
  features: (run: string) => `/${run}/features`,
  feature: (run: string, feature: number) => `/${run}/features/${feature}`,
  map: (run: string) => `/${run}/map`,
  text: (run: string) => `/${run}/text`,
  steer: (run: string) => `/${run}/steer`,
}
