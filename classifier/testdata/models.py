"""Writes the small models and tokenizers that the classifier's tests load: folders beside this file.

    pip install onnx==1.23.2 numpy tokenizers==0.23.3
    python models.py
"""

import json
import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

HERE = pathlib.Path(__file__).parent
LABELS = ["NEGATIVE", "NEUTRAL", "POSITIVE"]
SENTENCES = (HERE / "sentences.txt").read_text().splitlines()


def network(path, vocab, labels=3, types=False, opset=14):
    """A masked mean of embeddings and one linear layer; with types, token type embeddings are added as BERT does."""
    rng = np.random.default_rng(7)
    dim = 16
    weights = {
        "embeddings": rng.normal(0, 1, (vocab, dim)),
        "weight": rng.normal(0, 1, (dim, labels)),
        "bias": rng.normal(0, 0.1, (labels,)),
        "types": rng.normal(0, 1, (2, dim)),
    }
    nodes = [helper.make_node("Gather", ["embeddings", "input_ids"], ["tokens"])]
    inputs = ["input_ids", "attention_mask"]
    if types:
        inputs.append("token_type_ids")
        nodes += [
            helper.make_node("Gather", ["types", "token_type_ids"], ["typed"]),
            helper.make_node("Add", ["tokens", "typed"], ["embedded"]),
        ]
    else:
        weights.pop("types")
        nodes.append(helper.make_node("Identity", ["tokens"], ["embedded"]))
    nodes += [
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["mask3"]),
        helper.make_node("Mul", ["embedded", "mask3"], ["masked"]),
        helper.make_node("ReduceSum", ["masked", "middle"], ["sum"], keepdims=0),
        helper.make_node("ReduceSum", ["mask", "middle"], ["count"], keepdims=1),
        helper.make_node("Div", ["sum", "count"], ["mean"]),
        helper.make_node("MatMul", ["mean", "weight"], ["product"]),
        helper.make_node("Add", ["product", "bias"], ["logits"]),
    ]
    constants = [numpy_helper.from_array(w.astype(np.float32), n) for n, w in weights.items()]
    constants += [numpy_helper.from_array(np.array([i], dtype=np.int64), n) for n, i in (("last", -1), ("middle", 1))]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info(n, TensorProto.INT64, ["batch", "sequence"]) for n in inputs],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", labels])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def folder(name, tokenizer, config=(), **options):
    out = HERE / name
    out.mkdir(exist_ok=True)
    tokenizer.save(str(out / "tokenizer.json"), pretty=False)
    network(out / "model.onnx", tokenizer.get_vocab_size(), **options)
    base = {"model_type": "distilbert", "max_position_embeddings": 64, "id2label": {str(i): l for i, l in enumerate(LABELS)}}
    (out / "config.json").write_text(json.dumps({**base, **dict(config)}, indent=1) + "\n")


def bert():
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    for line in SENTENCES:
        words += [w for w, _ in BertPreTokenizer().pre_tokenize_str(BertNormalizer().normalize_str(line))]
    words += [p + c for c in "abcdefghijklmnopqrstuvwxyz" for p in ("", "##")]
    t = Tokenizer(models.WordPiece({w: i for i, w in enumerate(dict.fromkeys(words))}, unk_token="[UNK]"))
    t.normalizer, t.pre_tokenizer = BertNormalizer(), BertPreTokenizer()
    t.add_special_tokens(words[:5])
    t.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    return t


def roberta():
    t = Tokenizer(models.BPE(unk_token="<unk>"))
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.decoder = decoders.ByteLevel()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    t.train_from_iterator(
        SENTENCES, trainers.BpeTrainer(vocab_size=400, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    )
    t.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    return t


def unigram():
    t = Tokenizer(models.Unigram())
    t.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    t.pre_tokenizer = pre_tokenizers.Metaspace()
    t.decoder = decoders.Metaspace()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    t.train_from_iterator(SENTENCES, trainers.UnigramTrainer(vocab_size=200, special_tokens=special, unk_token="<unk>"))
    t.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    return t


def record(name, tokenizer):
    """What the tokenizer says of every sentence and of some that it was not trained on."""
    texts = SENTENCES + ["", " ", "Hello, world!", "  two  spaces ", "naïve café", "line\nbreak\ttab", "12345 $6.70", "it's we'll I'D", "日本語 👍🏽", "<s> a </s><mask> b"]
    answers = [{"text": s, "ids": tokenizer.encode(s).ids} for s in texts]
    (HERE / f"{name}-ids.json").write_text(json.dumps(answers, separators=(",", ":")) + "\n")


folder("bert", bert())
folder("typed", bert(), types=True)
folder("roberta", roberta(), config={"model_type": "roberta", "max_position_embeddings": 66, "pad_token_id": 1})
record("roberta", roberta())
folder("unigram", unigram(), config={"model_type": "xlm-roberta", "max_position_embeddings": 66, "pad_token_id": 1})
