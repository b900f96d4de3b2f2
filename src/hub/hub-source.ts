import type { Progress } from '../progress/progress.js'

/** How a model or an autoencoder is looked for that is named by a directory or by its place on the Hugging Face hub. */
export interface SourceOptions {
  /** branch, tag or commit on the hub; default main */
  revision?: string
  /** never asks the network: what the cache lacks is an error. Default: HF_HUB_OFFLINE=1 or TRANSFORMERS_OFFLINE=1 */
  offline?: boolean
  /** for repositories that need one; default HF_TOKEN, then the file that `hf auth login` left; '' for none */
  token?: string
  /** default HF_HUB_CACHE, else HF_HOME/hub, else ~/.cache/huggingface/hub */
  cacheDirectory?: string
  /** default HF_ENDPOINT, else https://huggingface.co */
  endpoint?: string
  progress?: Progress
  signal?: AbortSignal
}

/** Files on this disk. */
export interface ResolvedSource {
  /** directory that holds the files; of a folder inside a repository, that folder */
  directory: string
  /** name of the file in `directory`, when the source names a file */
  file?: string
  /** owner/name on the hub; null for a directory of the user's own */
  repository: string | null
  /** commit of the repository; null for a directory of the user's own */
  commit: string | null
  /** what the user said, for messages and metadata */
  name: string
}
