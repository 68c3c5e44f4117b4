"""Writes small encoders for feature extraction, with the tokenizer of the folder bert, and what numpy makes of them: folders and encoder.json beside
this file.

    pip install onnx==1.23.2 numpy tokenizers==0.23.3
    python encoder.py
"""

import json
import pathlib
import shutil

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer

HERE = pathlib.Path(__file__).parent
TEXTS = ["The service was great", "a", "Terrible, the parcel never came and nobody answers.", ""]
DIM = 12


def encoder(name, opset, pooling=None, sentence=False):
    """Token vectors through one layer: enough to tell one pooling from another."""
    out = HERE / name
    out.mkdir(exist_ok=True)
    shutil.copy(HERE / "bert" / "tokenizer.json", out / "tokenizer.json")
    tokenizer = Tokenizer.from_file(str(out / "tokenizer.json"))
    rng = np.random.default_rng(3)
    table = rng.normal(0, 1, (tokenizer.get_vocab_size(), DIM)).astype(np.float32)
    turn = rng.normal(0, 0.5, (DIM, DIM)).astype(np.float32)
    last = "token_vectors" if sentence else "last_hidden_state"
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["tokens"]),
        helper.make_node("MatMul", ["tokens", "turn"], ["turned"]),
        helper.make_node("Tanh", ["turned"], [last]),
    ]
    outputs = [helper.make_tensor_value_info(last, TensorProto.FLOAT, ["batch", "sequence", DIM])]
    if sentence:
        nodes.append(helper.make_node("ReduceMax", [last], ["sentence_embedding"], axes=[1], keepdims=0))
        outputs.append(helper.make_tensor_value_info("sentence_embedding", TensorProto.FLOAT, ["batch", DIM]))
    else:  # as BERT's pooler, which is no sentence embedding
        nodes.append(helper.make_node("ReduceMax", [last], ["pooler_output"], axes=[1], keepdims=0))
        outputs.append(helper.make_tensor_value_info("pooler_output", TensorProto.FLOAT, ["batch", DIM]))
    inputs = [helper.make_tensor_value_info(n, TensorProto.INT64, ["batch", "sequence"]) for n in ("input_ids", "attention_mask")]
    graph = helper.make_graph(nodes, "encoder", inputs, outputs, [numpy_helper.from_array(table, "table"), numpy_helper.from_array(turn, "turn")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=7)
    onnx.checker.check_model(model)
    onnx.save(model, out / "model.onnx")
    (out / "config.json").write_text('{"model_type": "bert", "max_position_embeddings": 64}\n')
    if pooling:
        (out / "1_Pooling").mkdir(exist_ok=True)
        modes = {f"pooling_mode_{m}": m == pooling for m in ("cls_token", "mean_tokens", "max_tokens")}
        (out / "1_Pooling" / "config.json").write_text(json.dumps({"word_embedding_dimension": DIM, **modes}) + "\n")
    answers = []
    for text in TEXTS:
        hidden = np.tanh(table[tokenizer.encode(text).ids].astype(float) @ turn)
        v = hidden.max(0) if sentence else hidden[0] if pooling == "cls_token" else hidden.mean(0)
        answers.append({"text": text, "features": (v if sentence else v / np.linalg.norm(v)).tolist()})
    return answers


(HERE / "encoder.json").write_text(json.dumps({
    "encoder": encoder("encoder", 17, pooling="mean_tokens"),
    "encoder-old": encoder("encoder-old", 11),
    "encoder-first": encoder("encoder-first", 14, pooling="cls_token"),
    "encoder-sentence": encoder("encoder-sentence", 14, sentence=True),
}, indent=1) + "\n")
