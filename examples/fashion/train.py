"""Train the classifier of model.py on Fashion-MNIST; write cnn.safetensors and cnn.onnx."""

import argparse
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from model import cnn
from prepare import HERE, SOURCE, read_split, write_checksums
from safetensors.torch import save_file
from torch import nn

MEAN, STD = 0.2860, 0.3530


def standardise(images: np.ndarray) -> torch.Tensor:
    return (torch.from_numpy(images.astype(np.float32))[:, None] / 255 - MEAN) / STD


def augment(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Mirror half of the images and shift the batch by up to two pixels."""
    mirrored = torch.rand(len(images), generator=generator) < 0.5
    images = torch.where(mirrored[:, None, None, None], images.flip(3), images)
    padded = nn.functional.pad(images, (2, 2, 2, 2), value=-MEAN / STD)
    row, column = torch.randint(0, 5, (2,), generator=generator).tolist()
    return padded[:, :, row : row + 28, column : column + 28]


def train(images: torch.Tensor, labels: torch.Tensor, arguments: argparse.Namespace) -> nn.Module:
    torch.manual_seed(arguments.seed)
    generator = torch.Generator().manual_seed(arguments.seed)
    model = cnn().to(memory_format=torch.channels_last)
    batches = len(images) // arguments.batch
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=arguments.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, arguments.learning_rate, total_steps=arguments.epochs * batches
    )
    for epoch in range(arguments.epochs):
        model.train()
        total = 0.0
        shuffled = torch.randperm(len(images), generator=generator)[: batches * arguments.batch]
        for rows in shuffled.split(arguments.batch):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(augment(images[rows], generator)), labels[rows])
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        print(f"epoch {epoch + 1}: loss {total / batches:.4f}, {time.process_time():.0f} CPU s", flush=True)
    return model.to(memory_format=torch.contiguous_format).eval()


@torch.no_grad()
def accuracy(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
    predicted = torch.cat([model(batch).argmax(1) for batch in images.split(500)])
    return (predicted == labels).float().mean().item()


def export(model: nn.Module, path: Path, sample: torch.Tensor) -> float:
    """Write the ONNX form, batch size left open; return the largest difference of a logit from torch's."""
    program = torch.onnx.export(
        model,
        (sample[:2],),
        dynamo=True,
        opset_version=20,
        input_names=["image"],
        output_names=["logits"],
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        verbose=False,
    )
    proto = program.model_proto
    del proto.metadata_props[:]
    for item in (*proto.graph.node, *proto.graph.value_info, *proto.graph.input, *proto.graph.output, proto.graph):
        del item.metadata_props[:]  # the exporter notes stack traces there
    onnx.checker.check_model(proto, full_check=True)
    path.write_bytes(proto.SerializeToString(deterministic=True))

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (logits,) = session.run(["logits"], {"image": sample.numpy()})
    with torch.no_grad():
        return float(np.abs(logits - model(sample).numpy()).max())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path, nargs="?", default=SOURCE, help="folder of the four idx files")
    parser.add_argument("--output", type=Path, default=HERE, help="folder to write to")
    parser.add_argument("--hold-out", type=int, default=0, help="last N training rows to measure on; writes no model")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--learning-rate", type=float, default=0.004)
    parser.add_argument("--weight-decay", type=float, default=0.01)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.use_deterministic_algorithms(True)

    images, labels = read_split(arguments.source, "train")
    images, labels = standardise(images), torch.from_numpy(labels.astype(np.int64))
    used = len(images) - arguments.hold_out
    print(f"{sum(p.numel() for p in cnn().parameters()):,} parameters, {used:,} training rows")
    model = train(images[:used], labels[:used], arguments)
    if arguments.hold_out:
        print(f"accuracy on the rows held out: {accuracy(model, images[used:], labels[used:]):.4f}")
        return

    save_file(model.state_dict(), arguments.output / "cnn.safetensors")
    difference = export(model, arguments.output / "cnn.onnx", images[:256])
    print(f"largest difference of a logit between torch and ONNX, 256 rows: {difference:.2e}")
    if difference > 1e-4:
        raise SystemExit("the two forms differ")
    write_checksums(arguments.output)
    test_images, test_labels = read_split(arguments.source, "t10k")
    test_accuracy = accuracy(model, standardise(test_images), torch.from_numpy(test_labels.astype(np.int64)))
    print(f"accuracy on the test set: {test_accuracy:.4f}")


if __name__ == "__main__":
    main()
