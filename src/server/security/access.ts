import { networkInterfaces } from 'node:os'

/** Who may ask, and under which names. */
export interface Access {
  /** values of the Host header that are answered, e.g. localhost:4100 */
  hosts: ReadonlySet<string>
  /** names that are answered whatever the port */
  names: ReadonlySet<string>
  /** null: nobody has to log in */
  token: string | null
  /** name of the cookie that a login sets; servers on one machine share a browser's cookies, so the port is part of it */
  cookie: string
}

const loopbackNames = ['localhost', '127.0.0.1', '[::1]']

/** Whether an address is reached from this machine alone. */
export const isLoopback = (host: string): boolean => /^(localhost|127(\.\d{1,3}){3}|\[?::1\]?)$/i.test(host)

/** An address as it stands in a URL. */
export const inUrl = (host: string): string =>
  host.includes(':') && !host.startsWith('[') ? `[${host}]` : host

/**
 * What a server listening on `host` and `port` answers to: the loopback names, its own address, and names that it was told. One listening
 * on every address is asked by any of the machine's: an address, unlike a name, cannot be turned to another machine (DNS rebinding).
 * @param allowed further names, of any port
 */
export function accessTo(
  { host, port }: { host: string; port: number },
  { allowed = [], token = null }: { allowed?: readonly string[]; token?: string | null } = {},
): Access {
  const everywhere = host === '0.0.0.0' || host === '::'
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? [])
  const names = [...loopbackNames, host, ...(everywhere ? addresses.map(({ address }) => address) : [])]
  const hosts = names.flatMap((name) => {
    const plain = inUrl(name.toLowerCase())
    return port === 80 ? [plain, `${plain}:80`] : [`${plain}:${port}`]
  })
  return {
    hosts: new Set(hosts),
    names: new Set(allowed.map((name) => name.toLowerCase())),
    token,
    cookie: `monosem-${port}`,
  }
}

/** For an app that listens nowhere. */
export const localAccess: Access = {
  hosts: new Set(['localhost']),
  names: new Set(),
  token: null,
  cookie: 'monosem',
}
