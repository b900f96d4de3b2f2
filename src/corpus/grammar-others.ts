import type { Grammar } from './phrases.js'

/** Everyday sentences: N who, V does what, A when or where; S puts them in the order of the language. */
const svo = (n: string, v: string, a: string, end = '.'): Grammar => ({
  S: `<N> <V>${end}|<N> <V> <A>${end}|<N> <V>${end}`,
  N: n,
  V: v,
  A: a,
})

/** The same with the verb last. */
const sov = (n: string, v: string, a: string, end = '.', space = ' '): Grammar => ({
  S: `<N>${space}<V>${end}|<N>${space}<A>${space}<V>${end}|<A>${space}<N>${space}<V>${end}`,
  N: n,
  V: v,
  A: a,
})

export const otherGrammars: Record<string, Grammar> = {
  en: {
    S: '<N> <V>.|<N> <V> <A>.|<A>, <N> <V>.|<N> <V>, <J> <N> <V>.|"<N> <V>," said <N>.|Why <D> <N> <B>?',
    N: 'the teacher|my neighbour|the old king|a young doctor|her brother|the fisherman|our guest|the baker|a tall stranger|the captain|their daughter|the judge|a soldier|the poet|nobody|everyone',
    V: 'wrote a long letter|opened the door|bought bread and honey|saw the moon|heard a strange song|walked to the river|sold the old house|waited for the train|read a book about {r}|learned {l2}|paid {p}|came back from {r2}|asked about the weather|slept for hours|found a gold ring|closed the window',
    A: 'in the morning|by the sea|last night|near the bridge|after the war|in {y}|on {w}|in the market|behind the house|every day|{ago}|in the library|under the stars',
    J: 'but|and|while|because|so|before',
    D: 'did|does|would|could',
    B: 'open the door|leave {r}|buy the house|walk to the river|learn {l2}|pay {p}|wait here',
  },
  de: svo(
    'Der Lehrer|Meine Nachbarin|Der alte König|Eine junge Ärztin|Sein Bruder|Der Fischer|Unser Gast|Die Bäckerin|Der Kapitän|Niemand',
    'liest ein altes Buch|schreibt einen langen Brief|öffnet die Tür|kauft Brot und Honig|sieht den Mond|hört ein fremdes Lied|geht zum Fluss|verkauft das Haus|wartet auf den Zug|lernt {l2}|bezahlt {p}|fragt nach dem Weg',
    'am Morgen|am Meer|jeden Tag|in der Nähe der Brücke|nach dem Krieg|im Garten|am {w}|im {m}|hinter dem Haus|in der Bibliothek',
  ),
  fr: svo(
    'Le professeur|Ma voisine|Le vieux roi|Une jeune femme|Son frère|Le pêcheur|Notre invité|La boulangère|Le capitaine|Personne d’autre',
    'lit un vieux livre|écrit une longue lettre|ouvre la porte|achète du pain et du miel|regarde la lune|écoute une chanson|marche vers la rivière|vend la maison|attend le train|apprend le {l2}|paie {p}|demande son chemin',
    'le matin|au bord de la mer|chaque jour|près du pont|après la guerre|dans le jardin|le {w}|en {m}|derrière la maison|à la bibliothèque',
  ),
  es: svo(
    'El maestro|Mi vecina|El viejo rey|Una joven doctora|Su hermano|El pescador|Nuestro huésped|La panadera|El capitán|Nadie más',
    'lee un libro antiguo|escribe una carta larga|abre la puerta|compra pan y miel|mira la luna|escucha una canción|camina hacia el río|vende la casa|espera el tren|aprende {l2}|paga {p}|pregunta por el camino',
    'por la mañana|junto al mar|cada día|cerca del puente|después de la guerra|en el jardín|el {w}|en {m}|detrás de la casa|en la biblioteca',
  ),
  pl: svo(
    'Nauczyciel|Moja sąsiadka|Stary król|Młoda lekarka|Jego brat|Rybak|Nasz gość|Piekarz|Kapitan|Dziadek',
    'czyta starą książkę|pisze długi list|otwiera drzwi|kupuje chleb i miód|widzi księżyc|słucha pieśni|idzie nad rzekę|sprzedaje dom|czeka na pociąg|płaci {p}|pyta o drogę',
    'rano|nad morzem|codziennie|w pobliżu mostu|po wojnie|w ogrodzie|za domem|w bibliotece|{ago}',
  ),
  ru: svo(
    'Учитель|Моя соседка|Старый король|Молодой врач|Его брат|Рыбак|Наш гость|Пекарь|Капитан|Дедушка|Девочка|Писатель',
    'читает старую книгу|пишет длинное письмо|открывает дверь|покупает хлеб и мёд|видит луну|слушает песню|идёт к реке|продаёт дом|ждёт поезда|платит {p}|спрашивает дорогу|рисует море|спит долго',
    'утром|у моря|каждый день|около моста|после войны|в саду|за домом|в библиотеке|зимой|летом|ночью|на рынке',
  ),
  uk: svo(
    'Учитель|Моя сусідка|Старий король|Молодий лікар|Його брат|Рибалка|Наш гість|Пекар|Капітан|Дідусь',
    'читає стару книгу|пише довгий лист|відчиняє двері|купує хліб і мед|бачить місяць|слухає пісню|йде до річки|продає будинок|чекає на потяг|платить {p}|питає дорогу',
    'вранці|біля моря|щодня|біля мосту|після війни|у саду|за будинком|у бібліотеці|взимку|влітку',
  ),
  bg: svo(
    'Учителят|Моята съседка|Старият цар|Младият лекар|Неговият брат|Рибарят|Нашият гост|Хлебарят|Капитанът|Дядо',
    'чете стара книга|пише дълго писмо|отваря вратата|купува хляб и мед|вижда луната|слуша песен|върви към реката|продава къщата|чака влака|плаща {p}|пита за пътя',
    'сутрин|край морето|всеки ден|близо до моста|след войната|в градината|зад къщата|в библиотеката|през зимата',
  ),
  el: svo(
    'Ο δάσκαλος|Η γειτόνισσά μου|Ο γέρος βασιλιάς|Μια νέα γιατρός|Ο αδελφός του|Ο ψαράς|Ο φιλοξενούμενος|Ο φούρναρης|Ο καπετάνιος|Η γιαγιά',
    'διαβάζει ένα παλιό βιβλίο|γράφει ένα μεγάλο γράμμα|ανοίγει την πόρτα|αγοράζει ψωμί και μέλι|βλέπει το φεγγάρι|ακούει ένα τραγούδι|πηγαίνει στο ποτάμι|πουλάει το σπίτι|περιμένει το τρένο|μαθαίνει {l2}|πληρώνει {p}|ρωτάει τον δρόμο',
    'το πρωί|κοντά στη θάλασσα|κάθε μέρα|δίπλα στη γέφυρα|μετά τον πόλεμο|στον κήπο|πίσω από το σπίτι|στη βιβλιοθήκη|τον χειμώνα|το καλοκαίρι',
  ),
  fi: svo(
    'Opettaja|Naapurini|Vanha kuningas|Nuori lääkäri|Hänen veljensä|Kalastaja|Vieraamme|Leipuri|Kapteeni|Isoäiti',
    'lukee vanhaa kirjaa|kirjoittaa pitkää kirjettä|avaa oven|ostaa leipää ja hunajaa|näkee kuun|kuuntelee laulua|kävelee joelle|myy talon|odottaa junaa|maksaa {p}|kysyy tietä',
    'aamulla|meren rannalla|joka päivä|sillan lähellä|sodan jälkeen|puutarhassa|talon takana|kirjastossa|talvella|kesällä',
  ),
  vi: svo(
    'Thầy giáo|Người hàng xóm|Nhà vua già|Bác sĩ trẻ|Anh trai tôi|Người đánh cá|Vị khách|Người thợ làm bánh|Thuyền trưởng|Bà tôi',
    'đọc một cuốn sách cũ|viết một bức thư dài|mở cửa|mua bánh mì và mật ong|nhìn mặt trăng|nghe một bài hát|đi ra sông|bán ngôi nhà|đợi tàu|học {l2}|trả {p}|hỏi đường',
    'vào buổi sáng|bên bờ biển|mỗi ngày|gần cây cầu|sau chiến tranh|trong vườn|phía sau nhà|trong thư viện|vào mùa đông',
  ),
  th: {
    S: '<N><V>|<N><V><A>|<A><N><V>',
    N: 'ครู|เพื่อนบ้านของฉัน|พระราชาชรา|หมอหนุ่ม|น้องชายของเขา|ชาวประมง|แขกของเรา|คนทำขนมปัง|กัปตัน|คุณยาย',
    V: 'อ่านหนังสือเก่า|เขียนจดหมายยาว|เปิดประตู|ซื้อขนมปังและน้ำผึ้ง|มองดวงจันทร์|ฟังเพลง|เดินไปที่แม่น้ำ|ขายบ้าน|รอรถไฟ|เรียน{l2}|จ่าย {p}|ถามทาง',
    A: 'ในตอนเช้า|ริมทะเล|ทุกวัน|ใกล้สะพาน|หลังสงคราม|ในสวน|หลังบ้าน|ในห้องสมุด|ในฤดูหนาว',
  },
  zh: sov(
    '老师|我的邻居|老国王|年轻的医生|他的哥哥|渔夫|我们的客人|面包师|船长|祖母|作家|学生',
    '读了一本旧书|写了一封长信|打开了门|买了面包和蜂蜜|看见了月亮|听到一首歌|走到河边|卖掉了房子|等着火车|学习{l2}|付了{p}|问了路|画了一幅山水画',
    '早上|在海边|每天|在桥附近|战争之后|在花园里|在房子后面|在图书馆|冬天|{w}|{ago}',
    '。',
    '',
  ),
  ja: sov(
    '先生は|隣の人は|年老いた王は|若い医者は|彼の兄は|漁師は|お客さんは|パン屋は|船長は|祖母は|作家は|学生は',
    '古い本を読みました|長い手紙を書きました|ドアを開けました|パンと蜂蜜を買いました|月を見ました|歌を聞きました|川まで歩きました|家を売りました|電車を待ちました|{l2}を学びました|{p}を払いました|道を尋ねました',
    '朝に|海辺で|毎日|橋の近くで|戦争の後で|庭で|家の裏で|図書館で|冬に|{w}に|{m}に',
    '。',
    '',
  ),
  ko: sov(
    '선생님은|내 이웃은|늙은 왕은|젊은 의사는|그의 형은|어부는|우리 손님은|빵집 주인은|선장은|할머니는|작가는|학생은',
    '오래된 책을 읽었습니다|긴 편지를 썼습니다|문을 열었습니다|빵과 꿀을 샀습니다|달을 보았습니다|노래를 들었습니다|강까지 걸었습니다|집을 팔았습니다|기차를 기다렸습니다|{l2}를 배웠습니다|길을 물었습니다',
    '아침에|바닷가에서|매일|다리 근처에서|전쟁이 끝난 뒤|정원에서|집 뒤에서|도서관에서|겨울에|{w}에|{m}에',
  ),
  tr: sov(
    'Öğretmen|Komşum|Yaşlı kral|Genç doktor|Kardeşi|Balıkçı|Misafirimiz|Fırıncı|Kaptan|Büyükannem',
    'eski bir kitap okudu|uzun bir mektup yazdı|kapıyı açtı|ekmek ve bal aldı|aya baktı|bir şarkı dinledi|nehre yürüdü|evi sattı|treni bekledi|{l2} öğrendi|{p} ödedi|yolu sordu',
    'sabah|deniz kenarında|her gün|köprünün yanında|savaştan sonra|bahçede|evin arkasında|kütüphanede|kışın|{w} günü',
  ),
  hi: sov(
    'शिक्षक|मेरा पड़ोसी|बूढ़ा राजा|एक युवा डॉक्टर|उसका भाई|मछुआरा|हमारा मेहमान|व्यापारी|कप्तान|लेखक|छात्र|किसान',
    'एक पुरानी किताब पढ़ता है|लंबा पत्र लिखता है|दरवाज़ा खोलता है|रोटी और शहद खरीदता है|चाँद को देखता है|गाना सुनता है|नदी की ओर जाता है|घर बेचता है|ट्रेन का इंतज़ार करता है|{l2} सीखता है|रास्ता पूछता है',
    'सुबह|समुद्र के किनारे|हर दिन|पुल के पास|युद्ध के बाद|बगीचे में|घर के पीछे|पुस्तकालय में|सर्दियों में|{w} को',
    '।',
  ),
  bn: sov(
    'শিক্ষক|আমার প্রতিবেশী|বৃদ্ধ রাজা|তরুণ ডাক্তার|তার ভাই|জেলে|আমাদের অতিথি|ব্যবসায়ী|লেখক|ছাত্র',
    'একটি পুরোনো বই পড়ে|লম্বা চিঠি লেখে|দরজা খোলে|রুটি ও মধু কেনে|চাঁদ দেখে|গান শোনে|নদীর দিকে যায়|বাড়ি বিক্রি করে|ট্রেনের জন্য অপেক্ষা করে|{l2} শেখে|পথ জিজ্ঞাসা করে',
    'সকালে|সমুদ্রের ধারে|প্রতিদিন|সেতুর কাছে|যুদ্ধের পরে|বাগানে|বাড়ির পিছনে|গ্রন্থাগারে|শীতকালে',
    '।',
  ),
  ta: sov(
    'ஆசிரியர்|என் அண்டை வீட்டார்|வயதான அரசர்|இளம் மருத்துவர்|மீனவர்|விருந்தினர்|வணிகர்|எழுத்தாளர்|கவிஞர்|பாட்டி',
    'பழைய புத்தகத்தைப் படித்தார்|நீண்ட கடிதம் எழுதினார்|கதவைத் திறந்தார்|ரொட்டியும் தேனும் வாங்கினார்|நிலவைப் பார்த்தார்|பாடலைக் கேட்டார்|ஆற்றுக்குச் சென்றார்|வீட்டை விற்றார்|ரயிலுக்காகக் காத்திருந்தார்|{l2} கற்றார்|வழி கேட்டார்',
    'காலையில்|கடற்கரையில்|தினமும்|பாலத்தின் அருகில்|போருக்குப் பிறகு|தோட்டத்தில்|வீட்டின் பின்னால்|நூலகத்தில்|குளிர்காலத்தில்',
  ),
  ka: sov(
    'მასწავლებელი|ჩემი მეზობელი|მოხუცი მეფე|ახალგაზრდა ექიმი|მისი ძმა|მეთევზე|ჩვენი სტუმარი|მცხობელი|კაპიტანი|ბებია',
    'ძველ წიგნს კითხულობს|გრძელ წერილს წერს|კარს აღებს|პურს და თაფლს ყიდულობს|მთვარეს უყურებს|სიმღერას უსმენს|მდინარისკენ მიდის|სახლს ყიდის|მატარებელს ელოდება|გზას კითხულობს',
    'დილით|ზღვასთან|ყოველდღე|ხიდთან|ომის შემდეგ|ბაღში|სახლის უკან|ბიბლიოთეკაში|ზამთარში',
  ),
  hy: sov(
    'Ուսուցիչը|Իմ հարևանը|Ծեր թագավորը|Երիտասարդ բժիշկը|Նրա եղբայրը|Ձկնորսը|Մեր հյուրը|Հացթուխը|Նավապետը|Տատիկը',
    'հին գիրք է կարդում|երկար նամակ է գրում|դուռն է բացում|հաց ու մեղր է գնում|լուսնին է նայում|երգ է լսում|դեպի գետն է գնում|տունն է վաճառում|գնացքին է սպասում|ճանապարհն է հարցնում',
    'առավոտյան|ծովի ափին|ամեն օր|կամրջի մոտ|պատերազմից հետո|այգում|տան հետևում|գրադարանում|ձմռանը',
    '։',
  ),
}
