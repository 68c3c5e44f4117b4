"""Records what Hugging Face's tokenizers answers: tokenizer-*.json, cases.json and blocks.json beside this file.

    pip install tokenizers==0.23.3
    python record.py
"""

import hashlib
import json
import pathlib
import random

from tokenizers import AddedToken, Tokenizer, normalizers, pre_tokenizers, processors
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

HERE = pathlib.Path(__file__).parent

# A text is a list of [part, times]: long ones stay short here.
TEXTS = [
    [["", 1]],
    [[" \t\r\n ", 1]],
    [["The service was great, thank you!", 1]],
    [["UPPER lower MiXeD", 1]],
    [["don't can't it's (well-known) [e-mail]: a@b.co $5.00 50% #tag ~`^|<>=+\\/", 1]],
    [["Crème brûlée à la façon de Zoë, naïve coöperation", 1]],
    [["Cre\u0300me bru\u0302le\u0301e Zoe\u0308 na\u0131ve", 1]],
    [["e\u0301\u0327 e\u0327\u0301 a\u0323\u0302 \u1ead q\u0307\u0323 q\u0323\u0307", 1]],
    [["e\u0301\u302f\u0327x o\u302f\u302e\u0345\u0301 \U0001d15e\U0001d165\U0001d16e", 1]],
    [["a\u0300\u0301\u0302", 1], ["\u0315\u0300\u05ae\u0301", 40], ["b", 1]],
    [["\u0301leading mark \u0301", 1]],
    [["漢字かな交じり文 中文字符 한국어 조선말 混ぜa字b漢", 1]],
    [["豈更車\U0002f800\U0002a6df\U0002b820\U0002b91f\U0002b920\u9fff\ua000\u3400\u4dc0", 1]],
    [["中\u0301文\u0327", 1]],
    [["가각힣 \u1100\u1161\u11a8 \u1112\u1175\u11c2 ㅎㅏㄴ", 1]],
    [["👍 👨‍👩‍👧‍👦 🏳️‍🌈 👋🏽 1️⃣ 🇩🇪 ❤️ great👍great", 1]],
    [["nul\x00in\x00side \x01\x02\x1f \x7f\x80\x9f", 1]],
    [["\ufeffbom at start and\ufeffinside", 1]],
    [["zero\u200bwidth non\u200cjoiner joi\u200dner word\u2060joiner", 1]],
    [["soft\u00adhyphen hy\u2010phen fig\u2012ure en\u2013dash em\u2014dash", 1]],
    [["שלום עולם \u202babc\u202c \u200fmark\u200e مرحبا بالعالم العَرَبِيَّة", 1]],
    [["replacement \ufffd char\ufffdacter \ufffe \uffff", 1]],
    [["İstanbul ıssız IĞDIR i\u0307 İİ", 1]],
    [["Straße GROẞ ß ﬁne ﬂow oﬃce ĳ Ǆ ǅ ﬀ", 1]],
    [["ΣΊΣΥΦΟΣ σίσυφος ὈΔΥΣΣΕΎΣ Ωmega ἀρχῇ", 1]],
    [["Привет, мир! ЁЖИК ёжик Й и\u0306", 1]],
    [["สวัสดีครับ ภาษาไทย นี้ คำ", 1]],
    [["हिन्दी क्षत्रिय ज़ தமிழ் ಕನ್ನಡ", 1]],
    [["tab\tnewline\ncr\rcrlf\r\nvt\x0bff\x0cnel\x85ls\u2028ps\u2029nbsp\u00a0en\u2000em\u2003thin\u2009ideo\u3000ogham\u1680end", 1]],
    [["x\u180ey \u205fz \u202fnarrow", 1]],
    [["«quoted» “double” ‘single’ ¿qué? ¡hola! 「日本」、。 … ‽ ⁇ § ¶ © ® ™ ° ± × ÷ € £ ¥ ¢", 1]],
    [["٣٤٥ ۳۴۵ ３４５ ⅷ ² ½ ⑤", 1]],
    [["ＦＵＬＬ ｗｉｄｔｈ！ ｶﾀｶﾅ", 1]],
    [["\ue000private\uf8ff \U000f0000 \U0010fffd", 1]],
    [["\u0600number\u06dd sign\u08e2 \U000110bd \U000110cd \u061c", 1]],
    [["\u0378unassigned\U0001fffe \u2065 \ufff0", 1]],
    [["new marks e\u0898x\u07fdy\u1ac0 \U00011938 \u1734\u1715", 1]],
    [["\u1c89\ua7cb\ua7dc\U00010d50\U00016ea0 Ꭰꭰ Აა Ⴀ ǈ ẞ K Å Ω", 1]],
    [["a", 99]],
    [["a", 100]],
    [["a", 101]],
    [["é", 100]],
    [["é", 101]],
    [["e\u0301", 100]],
    [["great", 20]],
    [["great", 20], ["!", 1], ["great", 21]],
    [["unbreakable", 1], ["ing", 30]],
    [["x" * 50 + "\u200b", 3]],
    [["[CLS] in text [SEP] and [MASK] [PAD][UNK] [cls] [sep]", 1]],
    [["pre[SEP]post [ MASK ] [[MASK]] [MASK]s a[MASK]b   [MASK]   c", 1]],
    [["[MAS[MASK]K] [SE\u0301P] [S\u200bEP]", 1]],
    [["<one> <onetwo> <one>two x<one>y <ONE> <onetw", 1]],
    [["word Word WORD sword words word, (word) wörd word_ word\u0301 été ÉTÉ e\u0301te\u0301 summer-été-x", 1]],
    [["keepcase KeepCase keepcase1 1keepcase", 1]],
    [["  left right  both  sides  left  left right right", 1]],
    [["two words two  words Two Words twowords two\nwords", 1]],
    [["中文词 xx中文词yy 中文", 1]],
    [["<s>é</s>", 1], [" ", 5], ["<one>", 3], [" \u3000 ", 2], ["<one>", 1]],
    [["\u0301[SEP]\u0301a e[SEP]\u0301", 1]],
    [["The quick brown fox. ", 5000]],
    [["中", 30000]],
    [["[SEP]", 20000]],
    [["a", 100000]],
    [["\u0301", 50000]],
    [["é!", 33000]],
    [[" ", 100000]],
    [["a\u302f\u302e", 20000]],
    [["[", 100000]],
]

WORDS = """the service was great thank you ##s ##ing ##ed ##er un ##break ##able break quick brown fox . , ! ? ' - ( ) [ ] @ # $ % & * + / : ;
< = > \\ ^ _ ` { | } ~ don can t it well known e mail creme brulee a la facon de zoe naive cooperation crème brûlée à façon zoë
great ##great ##at gr lower upper mixed Upper UPPER ##PER LOW hello world word ##word sword Straße strasse istanbul i̇stanbul
σισυφος σίσυφος привет мир ежик ёжик 中 文 漢 字 日 本 ##文 한국 ##어 가 각 한 ᄒ ##ᅡ ##ᆫ สวัส ##ดี ##ค हिन्दी ##दी 👍 ##👍 👨 ##👩 ❤ ️ ##️ € £ ¥ « » “ ” … 。 、 「 」
two words left right both sides [mas ##k k sep cls mask summer été ete ##te keepcase 1 2 3 5 50 00 ##0 ##5 co tag""".split()


def vocabulary():
    rng = random.Random(1)
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + list(dict.fromkeys(WORDS))
    chars = []
    for text in TEXTS:
        for part, _ in text:
            for form in (part, part.lower(), normalizers.NFD().normalize_str(part), normalizers.NFD().normalize_str(part).lower()):
                chars.extend(form)
    chars = sorted(set(chars) | set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"))
    for c in chars:
        for token in (c, "##" + c):
            # Leave some characters unknown, so that whole words become [UNK].
            if token not in tokens and not c.isspace() and (c.isascii() or rng.random() < 0.8):
                tokens.append(token)
    return {t: i for i, t in enumerate(tokens)}


def build(name, options, added=(), post="template"):
    t = Tokenizer(WordPiece(vocabulary(), unk_token="[UNK]", max_input_chars_per_word=100))
    if options is not None:
        t.normalizer = BertNormalizer(**options)
    t.pre_tokenizer = BertPreTokenizer()
    t.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    t.add_tokens(list(added))
    v = t.get_vocab()
    if post == "template":
        t.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]",
            pair="[CLS] $A [SEP] $B:1 [SEP]:1",
            special_tokens=[("[CLS]", v["[CLS]"]), ("[SEP]", v["[SEP]"])],
        )
    elif post == "bert":
        t.post_processor = processors.BertProcessing(("[SEP]", v["[SEP]"]), ("[CLS]", v["[CLS]"]))
    t.save(str(HERE / f"tokenizer-{name}.json"), pretty=False)
    return t


TOKENIZERS = {
    "uncased": build("uncased", dict(lowercase=True)),
    "cased": build("cased", dict(lowercase=False), post="bert"),
    "accents": build("accents", dict(lowercase=True, strip_accents=False)),
    "raw": build("raw", dict(clean_text=False, handle_chinese_chars=False, strip_accents=True, lowercase=False), post="none"),
    "bare": build("bare", None),
    "added": build(
        "added",
        dict(lowercase=True),
        added=[
            AddedToken("<one>", lstrip=True, normalized=False),
            AddedToken("<onetwo>", rstrip=True, normalized=False),
            AddedToken("<one>two", normalized=False),
            AddedToken("word", single_word=True, normalized=True),
            AddedToken("Été", single_word=True, normalized=True),
            AddedToken("KeepCase", normalized=False),
            AddedToken("left", lstrip=True, normalized=True),
            AddedToken("right", rstrip=True, normalized=True),
            AddedToken("sides", lstrip=True, rstrip=True, normalized=True),
            AddedToken("two words", normalized=True),
            AddedToken("中文词", normalized=True),
        ],
    ),
    "single": build(
        "single",
        dict(lowercase=True),
        added=[
            AddedToken("word", single_word=True, normalized=False),
            AddedToken("[MASK]", single_word=True, lstrip=True, rstrip=True, normalized=False, special=True),
        ],
    ),
}
LIMITS = [3, 4, 7, 16, 128]


def digest(values):
    return hashlib.sha256(",".join(map(str, values)).encode()).hexdigest()[:16]


def record():
    cases = []
    for text in TEXTS:
        s = "".join(part * times for part, times in text)
        answers = {}
        for name, t in TOKENIZERS.items():
            t.no_truncation()
            ids = t.encode(s).ids
            answer = {"ids": ids} if len(ids) <= 300 else {"count": len(ids), "digest": digest(ids)}
            cut = {}
            for limit in LIMITS:
                t.enable_truncation(limit)
                cut[limit] = digest(t.encode(s).ids)
            answers[name] = {**answer, "cut": cut}
        cases.append({"text": text, "answers": answers})
    (HERE / "cases.json").write_text(json.dumps(cases, ensure_ascii=True, separators=(",", ":")) + "\n")


def blocks():
    """Words around every character of the planes in use, as one digest for 256 of them."""
    configs = {
        "uncased": BertNormalizer(lowercase=True),
        "cased": BertNormalizer(lowercase=False),
        "accents": BertNormalizer(lowercase=True, strip_accents=False),
        "strip": BertNormalizer(clean_text=False, handle_chinese_chars=False, strip_accents=True, lowercase=False),
    }
    split = BertPreTokenizer()
    out = {name: [] for name in configs}
    for name, normalizer in configs.items():
        for block in [*range(0, 0x32400, 256), *range(0xE0000, 0xE0200, 256), 0xF0000, 0x10FF00]:
            h = hashlib.sha256()
            for c in range(block, block + 256):
                if 0xD800 <= c <= 0xDFFF:
                    continue
                # U+302F and U+302E are combining and no accents: their order shows the combining class between them.
                s = normalizer.normalize_str(f"a{chr(c)}b o\u302f{chr(c)}\u302e\u0345")
                h.update("\x1f".join(w for w, _ in split.pre_tokenize_str(s)).encode() + b"\x1e")
            out[name].append(f"{block:x}:{h.hexdigest()[:8]}")
    (HERE / "blocks.json").write_text(json.dumps(out, separators=(",", ":")) + "\n")


record()
blocks()
