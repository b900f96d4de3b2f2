/** Codes whose names ICU knows, and facts about regions that do not depend on the language they are told in. */

/** What is true of a region in every language. */
export interface RegionFacts {
  /** ISO 3166 code */
  region: string
  /** ISO 4217 code */
  currency: string
  /** ISO 639 code of the language most spoken there, by CLDR's likely subtags */
  language: string
  /** ISO 15924 code of that language's script */
  script: string
  /** IANA time zone, or UTC where Node does not tell */
  timeZone: string
  /** first day of the week, 1 = Monday to 7 = Sunday */
  firstDay: number
}

const CURRENCIES = `AE:AED AF:AFN AL:ALL AM:AMD AO:AOA AR:ARS AT:EUR AU:AUD AZ:AZN BA:BAM BD:BDT BE:EUR BF:XOF BG:EUR BH:BHD
BI:BIF BO:BOB BR:BRL BT:BTN BW:BWP BY:BYN CA:CAD CD:CDF CH:CHF CI:XOF CL:CLP CM:XAF CN:CNY CO:COP CR:CRC CU:CUP CV:CVE CY:EUR
CZ:CZK DE:EUR DJ:DJF DK:DKK DO:DOP DZ:DZD EC:USD EE:EUR EG:EGP ER:ERN ES:EUR ET:ETB FI:EUR FJ:FJD FR:EUR GB:GBP GE:GEL GH:GHS
GM:GMD GN:GNF GR:EUR GT:GTQ GY:GYD HN:HNL HR:EUR HT:HTG HU:HUF ID:IDR IE:EUR IL:ILS IN:INR IQ:IQD IR:IRR IS:ISK IT:EUR JM:JMD
JO:JOD JP:JPY KE:KES KG:KGS KH:KHR KM:KMF KR:KRW KW:KWD KZ:KZT LA:LAK LB:LBP LK:LKR LR:LRD LS:LSL LT:EUR LU:EUR LV:EUR LY:LYD
MA:MAD MD:MDL MG:MGA MK:MKD ML:XOF MM:MMK MN:MNT MR:MRU MT:EUR MU:MUR MV:MVR MW:MWK MX:MXN MY:MYR MZ:MZN NA:NAD NE:XOF NG:NGN
NI:NIO NL:EUR NO:NOK NP:NPR NZ:NZD OM:OMR PA:PAB PE:PEN PG:PGK PH:PHP PK:PKR PL:PLN PT:EUR PY:PYG QA:QAR RO:RON RS:RSD RU:RUB
RW:RWF SA:SAR SC:SCR SD:SDG SE:SEK SG:SGD SI:EUR SK:EUR SN:XOF SO:SOS SR:SRD SY:SYP SZ:SZL TD:XAF TG:XOF TH:THB TJ:TJS TM:TMT
TN:TND TO:TOP TR:TRY TT:TTD TZ:TZS UA:UAH UG:UGX US:USD UY:UYU UZ:UZS VE:VES VN:VND VU:VUV WS:WST YE:YER ZA:ZAR ZM:ZMW`

/** Properties of Intl.Locale that became methods in newer versions of Node. */
interface LocaleDetails {
  timeZones?: string[]
  getTimeZones?: () => string[] | undefined
  weekInfo?: { firstDay: number }
  getWeekInfo?: () => { firstDay: number }
}

/** Facts of some 160 regions, in a fixed order. */
export function regionFacts(): RegionFacts[] {
  return CURRENCIES.split(/\s+/).map((pair) => {
    const [region, currency] = pair.split(':') as [string, string]
    const likely = new Intl.Locale(`und-${region}`).maximize()
    const details = likely as LocaleDetails
    return {
      region,
      currency,
      language: likely.language,
      script: likely.script ?? 'Latn',
      timeZone: (details.getTimeZones?.() ?? details.timeZones)?.[0] ?? 'UTC',
      firstDay: (details.getWeekInfo?.() ?? details.weekInfo)?.firstDay ?? 1,
    }
  })
}

const LETTERS = 'abcdefghijklmnopqrstuvwxyz'

/** All codes of languages (two and three letters) that English has a name for: some 600. */
export function languageCodes(): string[] {
  const names = new Intl.DisplayNames('en', { type: 'language', fallback: 'none' })
  const pairs = [...LETTERS].flatMap((a) => [...LETTERS].map((b) => a + b))
  const triples = pairs.flatMap((pair) => [...LETTERS].map((c) => pair + c))
  return [...pairs, ...triples].filter((code) => names.of(code) !== undefined)
}

/** All two-letter codes of regions that English has a name for: some 280. */
export function regionCodes(): string[] {
  const names = new Intl.DisplayNames('en', { type: 'region', fallback: 'none' })
  const upper = [...LETTERS.toUpperCase()]
  return upper.flatMap((a) => upper.map((b) => a + b)).filter((code) => names.of(code) !== undefined)
}

/** Units that NumberFormat spells out, by what they measure. */
export const UNITS = {
  distance: ['kilometer', 'meter', 'mile', 'foot', 'yard', 'centimeter', 'inch', 'millimeter'],
  weight: ['kilogram', 'gram', 'pound', 'ounce', 'stone'],
  duration: ['day', 'week', 'month', 'year', 'hour', 'minute', 'second'],
  other:
    `acre bit byte celsius degree fahrenheit gallon gigabyte hectare kilobyte liter megabyte percent terabyte
    kilometer-per-hour mile-per-hour meter-per-second`.split(/\s+/),
} as const

/** Calendars besides the Gregorian in which dates of a language are written. */
export const CALENDARS: Readonly<Record<string, string[]>> = {
  ar: ['islamic-umalqura', 'islamic-civil', 'coptic'],
  he: ['hebrew'],
  th: ['buddhist'],
  ja: ['japanese'],
  zh: ['chinese', 'roc'],
  ko: ['dangi'],
  hi: ['indian'],
  bn: ['indian'],
}
