import type { Random } from '../random/random.js'
import { CALENDARS, languageCodes, type RegionFacts, regionCodes, regionFacts, UNITS } from './icu-names.js'

/** Speaks one language: names, dates, amounts and lists as ICU writes them, chosen at random. */
export interface Voice {
  locale: string
  random: Random
  facts: RegionFacts[]
  region(code: string): string
  language(code: string): string
  currency(code: string): string
  script(code: string): string
  calendar(code: string): string
  /** 1 = Monday to 7 = Sunday */
  weekday(day: number): string
  month(): string
  year(): string
  date(): string
  time(): string
  zone(timeZone: string): string
  /** "3 days ago" for -1, "in 3 days" for +1 */
  relative(sign: 1 | -1): string
  money(currency?: string): string
  /** a number with a unit spelled out, of one kind or of any */
  quantity(kind?: keyof typeof UNITS): string
  percent(): string
  number(): string
  list(items: string[]): string
  anyLanguage(): string
  anyRegion(): string
  anyCurrency(): string
}

const DAY = 86_400_000

/** True when this Node has names in a language, and not only English ones. */
export function hasLocale(locale: string): boolean {
  return Intl.DisplayNames.supportedLocalesOf([locale]).length > 0
}

let codes: { facts: RegionFacts[]; languages: string[]; regions: string[]; currencies: string[] } | null =
  null

/** The codes are the same for every language, and finding them takes a moment. */
function sharedCodes() {
  codes ??= {
    facts: regionFacts(),
    languages: languageCodes(),
    regions: regionCodes(),
    currencies: Intl.supportedValuesOf('currency'),
  }
  return codes
}

/** Makes the voice of a language. All its choices come from `random`. */
export function createVoice(locale: string, random: Random): Voice {
  const { facts, languages, regions, currencies } = sharedCodes()
  const names = (type: Intl.DisplayNamesType) => {
    const display = new Intl.DisplayNames(locale, { type, fallback: 'code' })
    return (code: string) => display.of(code) ?? code
  }
  const region = names('region')
  const language = names('language')
  const currency = names('currency')
  const formats = createFormats(locale, random)
  const list = new Intl.ListFormat(locale, { type: 'conjunction' })
  return {
    locale,
    random,
    facts,
    region,
    language,
    currency,
    script: names('script'),
    calendar: names('calendar'),
    ...createDates(locale, random),
    ...formats,
    list: (items) => list.format(items),
    // Half of the names are those people use often: the languages and currencies of the regions with facts.
    anyLanguage: () => language(random.int(2) ? random.pick(facts).language : random.pick(languages)),
    anyRegion: () => region(random.int(2) ? random.pick(facts).region : random.pick(regions)),
    anyCurrency: () => currency(random.int(2) ? random.pick(facts).currency : random.pick(currencies)),
  }
}

/** A moment between 1990 and 2029. */
const anyMoment = (random: Random): number => Date.UTC(1990, 0, 1) + random.int(14_600) * DAY

function createDates(locale: string, random: Random) {
  const format = (options: Intl.DateTimeFormatOptions, suffix = '') =>
    new Intl.DateTimeFormat(locale + suffix, { timeZone: 'UTC', ...options })
  const own = (CALENDARS[locale] ?? []).flatMap((calendar) => [
    format({ dateStyle: 'long', calendar }),
    format({ dateStyle: 'full', calendar }),
  ])
  const common = (['full', 'long', 'long', 'medium', 'short'] as const).map((dateStyle) =>
    format({ dateStyle, calendar: 'gregory' }),
  )
  const weekday = format({ weekday: 'long' })
  const month = format({ month: 'long', calendar: 'gregory' })
  const year = new Intl.NumberFormat(locale, { useGrouping: false })
  const time = format({ timeStyle: 'short' })
  const zones = new Map<string, string>()
  return {
    weekday: (day: number) => weekday.format(Date.UTC(2024, 0, day)), // 1 January 2024 was a Monday
    month: () => month.format(Date.UTC(2024, random.int(12), 15)),
    year: () => year.format(1890 + random.int(140)),
    date: () =>
      (own.length && random.int(3) === 0 ? random.pick(own) : random.pick(common)).format(anyMoment(random)),
    time: () => time.format(random.int(24 * 60) * 60_000),
    zone: (timeZone: string) => {
      const known = zones.get(timeZone)
      if (known !== undefined) return known
      const parts = new Intl.DateTimeFormat(locale, { timeZone, timeZoneName: 'longGeneric' }).formatToParts(
        0,
      )
      const name = parts.find((part) => part.type === 'timeZoneName')?.value ?? timeZone
      zones.set(timeZone, name)
      return name
    },
  }
}

function createFormats(locale: string, random: Random) {
  // Both kinds of digits are in use among writers of Arabic.
  const digits = locale === 'ar' ? ['latn', 'arab'] : [undefined]
  const numbers = (options: Intl.NumberFormatOptions) =>
    digits.map((numberingSystem) => new Intl.NumberFormat(locale, { ...options, numberingSystem }))
  const plain = numbers({})
  const compact = numbers({ notation: 'compact', compactDisplay: 'long' })
  const percent = numbers({ style: 'percent', maximumFractionDigits: 1 })
  const relative = new Intl.RelativeTimeFormat(locale, { numeric: 'auto' })
  const units = new Map<string, Intl.NumberFormat[]>()
  const money = new Map<string, Intl.NumberFormat[]>()
  const cached = (
    map: Map<string, Intl.NumberFormat[]>,
    key: string,
    make: () => Intl.NumberFormatOptions,
  ) => {
    const known = map.get(key) ?? numbers(make())
    map.set(key, known)
    return random.pick(known)
  }
  /** Small numbers more often than large ones. */
  const amount = (digitsAtMost: number) => 1 + random.int(10 ** (1 + random.int(digitsAtMost)))
  return {
    relative: (sign: 1 | -1) =>
      relative.format(
        sign * (1 + random.int(12)),
        random.pick(['day', 'week', 'month', 'year', 'hour', 'day'] as const),
      ),
    money: (code?: string) => {
      const currency =
        code ?? random.pick(['USD', 'EUR', 'GBP', 'JPY', 'EGP', 'ILS', 'INR', 'CNY', 'RUB', 'SAR'])
      const currencyDisplay = random.int(3) === 0 ? 'symbol' : 'name'
      return cached(money, currency + currencyDisplay, () => ({
        style: 'currency',
        currency,
        currencyDisplay,
        maximumFractionDigits: 0,
      })).format(amount(6))
    },
    quantity: (kind?: keyof typeof UNITS) => {
      const unit = random.pick<string>(kind ? UNITS[kind] : Object.values(UNITS).flat())
      return cached(units, unit, () => ({ style: 'unit', unit, unitDisplay: 'long' })).format(amount(3))
    },
    percent: () => random.pick(percent).format(random.int(1000) / 1000),
    number: () => random.pick(random.int(2) ? compact : plain).format(amount(8)),
  }
}
