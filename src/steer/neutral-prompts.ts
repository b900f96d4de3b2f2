/** Short openings of plain English text about nothing in particular, to measure how steering changes what follows. */
export const neutralPrompts: readonly string[] = [
  'The weather today is',
  'In the morning she',
  'This function returns',
  'The book on the table',
  'We went to the',
  'It is important to',
  'The first step is to',
  'He opened the door and',
  'The following example shows',
  'There are many ways to',
  'My friend told me that',
  'The river runs through',
  'When you call this method,',
  'After dinner they',
  'The purpose of this file is',
  'A small house stood',
]
