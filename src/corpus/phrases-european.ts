import type { LocalePhrases } from './phrases.js'

/** Sentence frames in languages of Europe; slots are explained in phrases.ts. */
export const europeanPhrases: Record<string, LocalePhrases> = {
  en: {
    headings: [
      'About {r}',
      'News from {r}',
      'Travelling to {r}',
      'Diary',
      'Annual report',
      'Languages and people',
    ],
    openers: [
      'In addition',
      'However',
      'At the same time',
      'On the other hand',
      'After that',
      'Unfortunately',
    ],
    sentences: `The main language of {r} is {l}.
The currency of {r} is the {c}.
In {r} the week begins on {w}.
The delegation arrived in {r} on {d} and stayed there for {dur}.
We travelled from {r} to {r2} {ago}, and the road was long.
My brother will come home {in}, if all goes well.
Many people there speak {l} as well as {l2}.
The teacher wrote the lesson in {s} letters on the board.
Exports reached {p} in {y}.
Prices have risen by {pc} since {m}.
Representatives of {R} met to discuss water, energy and schools.
The town lies {km} from the border.
The population is about {n}.
It is now {t}, {z}.
The book was first published in {l} and later translated into {L}.
The feast is kept according to the {cal}.
Do you know the currency of {r}? It is the {c}.
The museum opens at {t} every day except {w}.
In the evening we sat by the sea and talked about {r}.
The coins in use at the market were {C}.
The poet was born in {y} and died far from home.`,
  },
  ru: {
    headings: ['О стране {r}', 'Новости: {r}', 'Поездка в страну {r}', 'Дневник', 'Годовой отчёт'],
    openers: ['Кроме того', 'Однако', 'В то же время', 'С другой стороны', 'После этого', 'К сожалению'],
    sentences: `Основной язык страны {r} — {l}.
Валюта страны {r} называется так: {c}.
Неделя здесь начинается в этот день: {w}.
Делегация прибыла {d} и пробыла там {dur}.
Мы ездили туда {ago}, и дорога была длинной.
Мой брат вернётся домой {in}, если всё будет хорошо.
Многие люди там говорят на языках {l} и {l2}.
Экспорт достиг суммы {p} в {y} году.
Цены выросли на {pc}, это случилось в {m}.
Представители стран {R} обсудили воду, энергию и школы.
Город находится далеко от границы: {km}.
Население составляет около {n} человек.
Сейчас {t}, {z}.
Книга была переведена на языки {L}.
Праздник отмечают так, как велит {cal}.
Знаете ли вы, какая валюта в стране {r}? Это {c}.
Вечером мы сидели у моря и говорили о стране {r}.
Поэт родился в {y} году и умер вдали от родины.`,
  },
  uk: {
    headings: ['Про країну {r}', 'Новини: {r}', 'Щоденник', 'Річний звіт'],
    openers: ['Крім того', 'Однак', 'У той же час', 'З іншого боку', 'Після цього'],
    sentences: `Основна мова країни {r} — {l}.
Валюта країни {r} називається так: {c}.
Тиждень тут починається в цей день: {w}.
Делегація прибула {d} і пробула там {dur}.
Ми їздили туди {ago}, і дорога була довгою.
Мій брат повернеться додому {in}.
Багато людей там розмовляють мовами {l} і {l2}.
Експорт досяг суми {p} у {y} році.
Ціни зросли на {pc}.
Представники країн {R} обговорили воду та енергію.
Місто лежить далеко від кордону: {km}.
Населення становить близько {n} осіб.
Книгу переклали мовами {L}.
Увечері ми сиділи біля моря і говорили про країну {r}.`,
  },
  bg: {
    headings: ['За {r}', 'Новини от {r}', 'Пътуване до {r}', 'Дневник'],
    openers: ['Освен това', 'Обаче', 'По същото време', 'От друга страна', 'След това'],
    sentences: `Основният език на {r} е {l}.
Валутата на {r} е {c}.
Седмицата в {r} започва в {w}.
Делегацията пристигна в {r} на {d} и остана там {dur}.
Пътувахме от {r} до {r2} {ago}.
Брат ми ще се върне {in}.
Много хора там говорят {l} и {l2}.
Износът достигна {p} през {y} година.
Цените се повишиха с {pc} от {m} насам.
Представители на {R} обсъдиха водата и енергията.
Градът е на {km} от границата.
Населението е около {n} души.
Книгата е преведена на {L}.
Вечерта седяхме край морето и говорихме за {r}.`,
  },
  el: {
    headings: ['Σχετικά με: {r}', 'Νέα από: {r}', 'Ημερολόγιο', 'Ετήσια έκθεση'],
    openers: ['Επιπλέον', 'Ωστόσο', 'Την ίδια στιγμή', 'Από την άλλη πλευρά', 'Μετά από αυτό'],
    sentences: `Η κύρια γλώσσα στη χώρα {r} είναι τα {l}.
Το νόμισμα στη χώρα {r} είναι: {c}.
Η εβδομάδα εδώ αρχίζει την ημέρα {w}.
Η αντιπροσωπεία έφτασε στις {d} και έμεινε εκεί {dur}.
Ταξιδέψαμε εκεί {ago} και ο δρόμος ήταν μακρύς.
Ο αδελφός μου θα γυρίσει σπίτι {in}.
Πολλοί άνθρωποι εκεί μιλούν {l} και {l2}.
Οι εξαγωγές έφτασαν τα {p} το {y}.
Οι τιμές αυξήθηκαν κατά {pc}.
Εκπρόσωποι από τις χώρες {R} συζήτησαν για το νερό και την ενέργεια.
Η πόλη απέχει {km} από τα σύνορα.
Ο πληθυσμός είναι περίπου {n} κάτοικοι.
Το βιβλίο μεταφράστηκε στα {L}.
Η γιορτή ακολουθεί το {cal}.
Το βράδυ καθίσαμε κοντά στη θάλασσα και μιλήσαμε.
Ο ποιητής γεννήθηκε το {y} και πέθανε μακριά από την πατρίδα του.`,
  },
  de: {
    headings: ['Über {r}', 'Nachrichten aus {r}', 'Reise nach {r}', 'Tagebuch', 'Jahresbericht'],
    openers: [
      'Außerdem gilt',
      'Dennoch stimmt es',
      'Andererseits heißt es',
      'Danach hörten wir',
      'Leider ist es so',
    ],
    sentences: `Die wichtigste Sprache in {r} ist {l}.
Die Währung von {r} heißt {c}.
In {r} beginnt die Woche am {w}.
Die Abordnung kam am {d} in {r} an und blieb dort {dur}.
Wir reisten {ago} von {r} nach {r2}, und der Weg war weit.
Mein Bruder kommt {in} nach Hause, wenn alles gut geht.
Viele Leute dort sprechen {l} und auch {l2}.
Die Ausfuhren erreichten {p} im Jahr {y}.
Die Preise sind seit {m} um {pc} gestiegen.
Vertreter aus {R} sprachen über Wasser, Energie und Schulen.
Die Stadt liegt {km} von der Grenze entfernt.
Die Bevölkerung zählt etwa {n} Menschen.
Es ist jetzt {t}, {z}.
Das Buch wurde in folgende Sprachen übersetzt: {L}.
Am Abend saßen wir am Meer und sprachen über {r}.
Der Dichter wurde {y} geboren und starb fern der Heimat.`,
  },
  fr: {
    headings: ['À propos : {r}', 'Nouvelles : {r}', 'Journal de voyage', 'Rapport annuel'],
    openers: ['De plus', 'Cependant', 'En même temps', 'D’autre part', 'Après cela', 'Malheureusement'],
    sentences: `La langue principale du pays ({r}) est la suivante : {l}.
La monnaie de ce pays ({r}) s’appelle {c}.
Ici, la semaine commence le {w}.
La délégation est arrivée le {d} et elle est restée {dur}.
Nous avons voyagé {ago}, et la route était longue.
Mon frère rentrera {in}, si tout va bien.
Beaucoup de gens y parlent {l} et {l2}.
Les exportations ont atteint {p} en {y}.
Les prix ont augmenté de {pc} depuis {m}.
Des représentants de plusieurs pays ({R}) ont parlé de l’eau et de l’énergie.
La ville se trouve à {km} de la frontière.
La population compte environ {n} habitants.
Il est maintenant {t}, {z}.
Le livre a été traduit dans ces langues : {L}.
Le soir, nous étions assis au bord de la mer.
Le poète est né en {y} et il est mort loin de chez lui.`,
  },
  es: {
    headings: ['Sobre {r}', 'Noticias de {r}', 'Viaje a {r}', 'Diario', 'Informe anual'],
    openers: ['Además', 'Sin embargo', 'Al mismo tiempo', 'Por otra parte', 'Después', 'Por desgracia'],
    sentences: `El idioma principal de {r} es el {l}.
La moneda de {r} es el {c}.
En {r} la semana empieza el {w}.
La delegación llegó a {r} el {d} y se quedó allí {dur}.
Viajamos de {r} a {r2} {ago}, y el camino fue largo.
Mi hermano volverá a casa {in}, si todo va bien.
Muchas personas hablan allí {l} y también {l2}.
Las exportaciones alcanzaron {p} en {y}.
Los precios han subido un {pc} desde {m}.
Representantes de {R} hablaron del agua, de la energía y de las escuelas.
La ciudad está a {km} de la frontera.
La población es de unas {n} personas.
Ahora son las {t}, {z}.
El libro se tradujo a estas lenguas: {L}.
Por la tarde nos sentamos junto al mar y hablamos de {r}.
El poeta nació en {y} y murió lejos de su tierra.`,
  },
  pl: {
    headings: ['O kraju {r}', 'Wiadomości: {r}', 'Dziennik podróży', 'Raport roczny'],
    openers: ['Ponadto', 'Jednak', 'W tym samym czasie', 'Z drugiej strony', 'Potem'],
    sentences: `Główny język kraju {r} to {l}.
Waluta kraju {r} to {c}.
Tydzień zaczyna się tu w dzień {w}.
Delegacja przybyła {d} i została tam {dur}.
Podróżowaliśmy tam {ago}, a droga była długa.
Mój brat wróci do domu {in}.
Wielu ludzi mówi tam w językach {l} i {l2}.
Eksport osiągnął {p} w roku {y}.
Ceny wzrosły o {pc}.
Przedstawiciele krajów {R} rozmawiali o wodzie i energii.
Miasto leży daleko od granicy: {km}.
Ludność liczy około {n} osób.
Książkę przetłumaczono na języki {L}.
Wieczorem siedzieliśmy nad morzem i rozmawialiśmy.`,
  },
  tr: {
    headings: ['{r} hakkında', '{r} haberleri', 'Yolculuk notları', 'Günlük'],
    openers: ['Ayrıca', 'Ancak', 'Aynı zamanda', 'Öte yandan', 'Daha sonra'],
    sentences: `{r} ülkesinin ana dili {l} dilidir.
{r} ülkesinin para birimi {c} olarak bilinir.
{r} ülkesinde hafta {w} günü başlar.
Heyet {d} günü {r} ülkesine vardı ve orada {dur} kaldı.
{ago} {r} ülkesinden {r2} ülkesine gittik, yol uzundu.
Kardeşim {in} eve dönecek.
Orada birçok insan {l} ve {l2} konuşur.
İhracat {y} yılında {p} tutarına ulaştı.
Fiyatlar {m} ayından beri {pc} arttı.
{R} temsilcileri su ve enerji hakkında konuştu.
Şehir sınırdan {km} uzaktadır.
Nüfus yaklaşık {n} kişidir.
Kitap {L} dillerine çevrildi.
Akşam deniz kenarında oturduk ve konuştuk.`,
  },
  fi: {
    headings: ['Tietoja: {r}', 'Uutisia: {r}', 'Matkapäiväkirja', 'Vuosikertomus'],
    openers: ['Lisäksi', 'Kuitenkin', 'Samaan aikaan', 'Toisaalta', 'Sen jälkeen'],
    sentences: `Maan {r} pääkieli on {l}.
Maan {r} rahayksikkö on {c}.
Viikko alkaa täällä, kun on {w}.
Valtuuskunta saapui {d} ja viipyi siellä {dur}.
Matkustimme sinne {ago}, ja tie oli pitkä.
Veljeni palaa kotiin {in}.
Monet ihmiset puhuvat siellä kieliä {l} ja {l2}.
Vienti nousi summaan {p} vuonna {y}.
Hinnat nousivat {pc}.
Maiden {R} edustajat keskustelivat vedestä ja energiasta.
Kaupungin etäisyys rajasta on {km}.
Väkiluku on noin {n} henkeä.
Kirja käännettiin kielille {L}.
Illalla istuimme meren rannalla ja juttelimme.`,
  },
}
