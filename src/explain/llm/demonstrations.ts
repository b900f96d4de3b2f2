/** A stretch of text with what an invented feature does on it. */
export interface DemonstrationExample {
  label: string
  /** tokens, separated by | */
  tokens: string
  /** a digit for each token */
  activations: string
}

/** One worked explanation. */
export interface Demonstration {
  examples: readonly DemonstrationExample[]
  topLogits: readonly string[]
  bottomLogits: readonly string[]
  /** chain of thought */
  reasoning: string
  explanation: string
}

const example = (label: string, tokens: string, activations: string): DemonstrationExample => ({
  label,
  tokens,
  activations,
})

/**
 * The eight worked explanations that precede every question, as in Bricken et al. 2023. They are features made up for the purpose, so
 * none of them is ever scored, and they keep clear of the concepts of the case studies (Arabic, Hebrew, base64, DNA), whose features
 * would otherwise be handed their explanation.
 */
export const demonstrations: readonly Demonstration[] = [
  {
    examples: [
      example('largest activations', 'The| well| is| 40| km| north| of| the| town', '000090000'),
      example('largest activations', ' weighs| about| 12| kg| when| empty|.| It| can', '000900000'),
      example('interval 9 of 12', ' a| depth| of| 300| m|,| where| light| fails', '000070000'),
      example('interval 4 of 12', ' at| 90| degrees| for| ten| minutes|,| then| cool', '003000000'),
      example('random', ' she| had| never| told| him| about| the| letter| before', '000000000'),
      example(
        'top token where inactive',
        ' the| new| km| marker| was| painted| white| last| year',
        '000000000',
      ),
    ],
    topLogits: [' long', ' wide', ' per', ' deep', '²'],
    bottomLogits: [' himself', ' whose', ' thinks', ' Mr', ' yes'],
    reasoning:
      'The strongest tokens are km, kg and m, each directly after a number; degrees after a number is weaker. The same km without a number before it is not active. The logits promote dimensions and rates, which follow measurements.',
    explanation: 'units of measurement, mostly metric ones, directly after a number',
  },
  {
    examples: [
      example(
        'largest activations',
        ' the| bank| raised| its| lending| rates| again| in| March',
        '090000000',
      ),
      example('largest activations', ' owed| the| bank| more| than| his| house| was| worth', '009000000'),
      example('interval 8 of 12', ' two| banks| failed| within| a| week| of| each| other', '060000000'),
      example('interval 3 of 12', ' the| lender| refused| to| extend| the| loan| any| further', '020000000'),
      example('random', ' const| result| =| await| fetch|(|url|)|;', '000000000'),
      example('top token where inactive', ' sat| on| the| bank| and| watched| the| boats| pass', '000000000'),
    ],
    topLogits: [' loan', ' account', ' deposit', ' lending', ' branch'],
    bottomLogits: [' river', ' shore', ' fish', ' leaf', ' swim'],
    reasoning:
      'The feature is strongest on bank and banks where money is meant, and weakly active on lender. On bank beside water it is silent, so it responds to the meaning and not to the word. The logits promote words of finance and suppress those of rivers.',
    explanation: 'institutions that keep and lend money, not the edges of rivers',
  },
  {
    examples: [
      example('largest activations', " I| don|'t| think| that| he| will| come| today", '009000000'),
      example('largest activations', " it| isn|'t| clear| who| wrote| the| first| draft", '009000000'),
      example('interval 10 of 12', ' they| are| not| allowed| to| leave| before| noon| on', '008000000'),
      example('interval 5 of 12', ' we| have| never| seen| anything| like| it| in| years', '004000000'),
      example('random', ' ↵| ↵|##| Installation| ↵|Run| the| following| command', '000000000'),
      example('top token where inactive', ' Whether| or| not| it| rains|,| the| match| starts', '000000000'),
    ],
    topLogits: [' anymore', ' either', ' necessarily', ' any', ' yet'],
    bottomLogits: [' indeed', ' certainly', ' also', ' always', ' very'],
    reasoning:
      'Active on the contraction that negates a verb, on not and, more weakly, on never. In a set phrase with not that negates nothing it is silent. The logits promote words that follow negation.',
    explanation: 'negation of a verb',
  },
  {
    examples: [
      example('largest activations', ' as| shown| by| Miller| et| al|.| (|2014', '000000009'),
      example('largest activations', ' (|Chen| and| Ortiz|,| 2009|)|.| Later', '000009000'),
      example('interval 11 of 12', ' (|see| Brown|,| 1998|;| Lee|,| 2001', '000080008'),
      example('interval 2 of 12', " in| Weber|'s| 1922| essay| on| the| city|,", '000200000'),
      example('random', ' and| the| children| ran| out| into| the| garden| again', '000000000'),
      example('top token where inactive', ' the| company| was| sold| in| 2014| for| a| pound', '000000000'),
    ],
    topLogits: [')', ');', '),', 'a', '];'],
    bottomLogits: [' o', ' years', ' BC', ' percent', ' people'],
    reasoning:
      'The active tokens are years that follow the names of authors, most strongly inside brackets. A year in an ordinary sentence is not active. The logits promote the closing bracket and the letter that tells two works of a year apart.',
    explanation: 'the year of publication in a scholarly citation',
  },
  {
    examples: [
      example('largest activations', '<|a| href|="/|home|"| class|="|nav', '009000900'),
      example('largest activations', '<|img| src|="|logo|.|png|"| alt', '009000008'),
      example('interval 9 of 12', ' <|input| type|="|text|"| name|="|q', '007000700'),
      example('interval 3 of 12', ' <|p| id|=|intro|>|Welcome| to| the', '003000000'),
      example('random', ' of| the| second| half|,| when| both| teams| tired', '000000000'),
      example('top token where inactive', ' a| class| of| thirty| pupils| sat| in| the| hall', '000000000'),
    ],
    topLogits: ['="', '=', "='", '={', '-'],
    bottomLogits: [' the', ' and', '.', ' was', ' who'],
    reasoning:
      'The active tokens are href, class, src, alt, type, name and id, all inside an opening HTML tag; the tag names and the values are silent. The word class in prose is silent too. The logits promote the equals sign that follows an attribute.',
    explanation: 'names of attributes inside an HTML tag',
  },
  {
    examples: [
      example('largest activations', ' oven|.| Mix| in| the| flour| and| the| salt', '009000000'),
      example('largest activations', ' smooth|.| Pour| the| batter| into| a| greased| tin', '009000000'),
      example('interval 8 of 12', '↵|3|.| Chop| the| onions| and| fry| them', '000600040'),
      example('interval 4 of 12', ' Next|,| drain| the| beans| and| let| them| cool', '003000200'),
      example('random', ' elected| in| May| with| a| majority| of| nine| seats', '000000000'),
      example(
        'top token where inactive',
        ' He| called| the| tape| Mix| Number| Five| and| sold',
        '000000000',
      ),
    ],
    topLogits: [' gently', ' until', ' together', ' well', ' the'],
    bottomLogits: [' he', ' because', ' died', ' election', ' were'],
    reasoning:
      'The active tokens are verbs that tell the reader what to do, all in recipes; those that begin a sentence are strongest. The same word as a noun outside a recipe is silent. The logits promote what follows such a verb.',
    explanation: 'imperative verbs in cooking instructions, most of all at the start of a sentence',
  },
  {
    examples: [
      example('largest activations', ' que| no| se| puede| hacer| nada| más| por| ella', '788998878'),
      example('largest activations', ' la| casa| de| mi| abuela| estaba| cerca| del| mar', '799889978'),
      example('interval 7 of 12', ' said| "|hasta| luego|"| and| closed| the| door', '006500000'),
      example('interval 2 of 12', ' a| plaza| in| the| old| town| of| the| city', '020000000'),
      example('random', ' for| (|int| i| =| 0|;| i| <', '000000000'),
      example('top token where inactive', ' la| porte| de| la| maison| est| fermée| à| clé', '000000000'),
    ],
    topLogits: [' los', ' una', ' está', 'ción', ' pero'],
    bottomLogits: [' the', ' which', 'ing', ' les', ' und'],
    reasoning:
      'Nearly every token of Spanish text is active, whatever it means, and a Spanish phrase inside English is active while the English around it is not. French, with tokens in common, is silent, so it is this language and not the shared words. The logits promote Spanish words and endings.',
    explanation: 'text in Spanish',
  },
  {
    examples: [
      example('largest activations', '"|name|":| "|Ada|",| "|age|":', '009000009'),
      example('largest activations', ' {|"|id|":| 7|,| "|tags|":', '000900009'),
      example('interval 10 of 12', '"|version|":| "|1|.|4|.|2', '008000000'),
      example('interval 5 of 12', " '|width|':| 40|,| '|height|':| 30", '004000040'),
      example('random', ' snow| fell| all| night| on| the| empty| road| home', '000000000'),
      example('top token where inactive', ' he| said| "|no|":| a| word| she| hated', '000000000'),
    ],
    topLogits: [' "', ' [', ' {', ' true', ' null'],
    bottomLogits: [' of', ' who', ' went', ' she', ' their'],
    reasoning:
      'The active token is the closing quotation mark with a colon that ends a key of JSON, and more weakly the one of a Python dictionary. The same characters in a sentence are silent. The logits promote everything that a JSON value can begin with.',
    explanation: 'the end of a key in JSON and similar notations, just before its value',
  },
]
