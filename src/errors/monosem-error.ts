/**
 * What kind of thing went wrong, for programs that react to errors.
 * - `config`: an option, flag or combination of them makes no sense
 * - `format`: a file is not in the format it claims to be in
 * - `shape`: a tensor has another shape or type than the operation needs
 * - `missing`: a file, directory, field or feature that was asked for is not there
 * - `corrupt`: stored data does not match its recorded hash or size
 * - `native`: the compiled kernels failed or refused
 * - `remote`: another machine or service failed
 * - `busy`: another process holds the directory
 * - `io`: the operating system refused a read or a write (full disk, permissions)
 * - `interrupted`: the user stopped a job that can be resumed
 * - `diverged`: a training run produced NaN or infinity
 */
export type ErrorCode =
  | 'config'
  | 'format'
  | 'shape'
  | 'missing'
  | 'corrupt'
  | 'native'
  | 'remote'
  | 'busy'
  | 'io'
  | 'interrupted'
  | 'diverged'

/** The only error that Monosem throws on purpose. The message says what was expected and what came; the hint says what to do. */
export class MonosemError extends Error {
  readonly code: ErrorCode
  /** What the reader can do about it, one sentence. */
  readonly hint: string | undefined

  constructor(code: ErrorCode, message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'MonosemError'
    this.code = code
    this.hint = options.hint
  }
}
