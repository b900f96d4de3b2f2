/** Texts to begin with. */
export const examples: readonly { name: string; text: string }[] = [
  {
    name: 'English',
    text: 'The committee met on Tuesday to discuss the new library. After two hours, its members agreed that the building',
  },
  { name: 'Arabic', text: 'ذهب الولد إلى المدرسة في الصباح، ثم عاد إلى البيت مع أخيه. كان الجو جميلا وكانت' },
  { name: 'Hebrew', text: 'הילד הלך לבית הספר בבוקר וחזר הביתה עם אחיו. מזג האוויר היה יפה והשמש' },
  { name: 'DNA', text: 'ATGGCCATTGTAATGGGCCGCTGAAAGGGTGCCCGATAGACCTGAAGCTTGGATCCATTAGC' },
  {
    name: 'Base64',
    text: 'Content-Transfer-Encoding: base64\n\niVBORw0KGgoAAAANSUhEUgAAAAUAAAAFCAYAAACNbyblAAAAHElEQVQI12P4',
  },
  {
    name: 'Code',
    text: 'export function sum(values: number[]): number {\n  let total = 0\n  for (const value of values) total += value\n  return',
  },
]
