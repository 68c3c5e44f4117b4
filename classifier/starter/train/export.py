"""Writes the model folder: model.onnx, tokenizer.json, config.json and the two small tokenizer files."""

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import network
import vocabulary

LABELS = ("NEGATIVE", "POSITIVE")
OPSET = 17


def graph(weights: dict, vectors: np.ndarray, temperature: float) -> onnx.ModelProto:
    """Folds vectors and filters into tables and the temperature into the last layer."""
    words = vectors + weights["shift"]
    words[network.PAD] = 0
    tables = [words @ weights["filters"][place] for place in range(network.WIDTH)]
    tables[-1] = tables[-1] + weights["bias"]  # the last place always holds the word itself, so the bias rides along
    filters, hidden = weights["bias"].shape[0], weights["dense_bias"].shape[0]
    dense = weights["dense"].copy()
    dense[filters:] *= network.MEAN_SCALE
    # Log odds z become the two logits -z/2 and z/2, whose softmax is the same probability.
    half = np.array([-0.5, 0.5], np.float32) / temperature
    tensors = {
        "before2": tables[0], "before1": tables[1], "now": tables[2],
        "dense": dense, "dense_bias": weights["dense_bias"],
        "out": weights["out"][:, None] * half, "out_bias": weights["out_bias"] * half,
    }
    initializers = [numpy_helper.from_array(np.ascontiguousarray(value, np.float32), name) for name, value in tensors.items()]
    integers = {
        "pad1": [0, 1, 0, 0], "pad2": [0, 2, 0, 0], "zero": 0, "from": [0], "to1": [-1], "to2": [-2], "time": [1], "last": [2],
    }
    initializers += [numpy_helper.from_array(np.array(value, np.int64), name) for name, value in integers.items()]
    one = numpy_helper.from_array(np.array(1, np.float32), "one")
    nodes = [
        # Masked ids are [PAD] whatever stood there, and [PAD]'s rows before the window are zero.
        helper.make_node("Mul", ["input_ids", "attention_mask"], ["ids"]),
        helper.make_node("Cast", ["attention_mask"], ["mask_flat"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask_flat", "last"], ["mask"]),
    ]
    for back in (1, 2):
        nodes += [
            helper.make_node("Pad", ["ids", f"pad{back}", "zero"], [f"padded{back}"]),
            helper.make_node("Slice", [f"padded{back}", "from", f"to{back}", "time"], [f"ids{back}"]),
            helper.make_node("Gather", [f"before{back}", f"ids{back}"], [f"part{back}"]),
        ]
    nodes += [
        helper.make_node("Gather", ["now", "ids"], ["part0"]),
        helper.make_node("Add", ["part0", "part1"], ["sum1"]),
        helper.make_node("Add", ["sum1", "part2"], ["sum2"]),
        helper.make_node("Relu", ["sum2"], ["found"]),
        helper.make_node("Mul", ["found", "mask"], ["kept"]),
        helper.make_node("ReduceMax", ["kept"], ["maximum"], axes=[1], keepdims=0),
        helper.make_node("ReduceSum", ["kept", "time"], ["total"], keepdims=0),
        helper.make_node("ReduceSum", ["mask_flat", "time"], ["count"], keepdims=1),
        helper.make_node("Max", ["count", "one"], ["count_or_one"]),
        helper.make_node("Div", ["total", "count_or_one"], ["mean"]),
        helper.make_node("Concat", ["maximum", "mean"], ["pooled"], axis=1),
        helper.make_node("MatMul", ["pooled", "dense"], ["dense_product"]),
        helper.make_node("Add", ["dense_product", "dense_bias"], ["dense_sum"]),
        helper.make_node("Relu", ["dense_sum"], ["hidden"]),
        helper.make_node("MatMul", ["hidden", "out"], ["out_product"]),
        helper.make_node("Add", ["out_product", "out_bias"], ["logits"]),
    ]
    ids = [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "sequence"]) for name in ("input_ids", "attention_mask")]
    out = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", len(LABELS)])
    made = helper.make_graph(nodes, "starter", ids, [out], initializers + [one])
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="hitl", ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model


def write(folder: Path, model: onnx.ModelProto, tokenizer, pieces: list[str], settings: network.Settings) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(model.SerializeToString(deterministic=True))
    (folder / "tokenizer.json").write_text(tokenizer.to_str(pretty=False) + "\n")
    _json(folder / "config.json", {
        "architectures": ["StarterForSequenceClassification"],
        "model_type": "starter",
        "problem_type": "single_label_classification",
        "id2label": {str(at): label for at, label in enumerate(LABELS)},
        "label2id": {label: at for at, label in enumerate(LABELS)},
        "max_position_embeddings": vocabulary.MAX_LENGTH,
        "vocab_size": len(pieces),
        "pad_token_id": network.PAD,
        "filters": settings.filters,
        "filter_width": network.WIDTH,
        "hidden_size": settings.hidden,
        "torch_dtype": "float32",
    })
    special = {"unk_token": "[UNK]", "sep_token": "[SEP]", "pad_token": "[PAD]", "cls_token": "[CLS]", "mask_token": "[MASK]"}
    _json(folder / "special_tokens_map.json", special)
    _json(folder / "tokenizer_config.json", {
        "tokenizer_class": "BertTokenizer", "do_lower_case": True, "strip_accents": True, "tokenize_chinese_chars": True,
        "model_max_length": vocabulary.MAX_LENGTH, **special,
    })


def _json(path: Path, value: dict) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n")
