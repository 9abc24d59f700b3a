"""Tests of lab.sh's and cuda.sh's arguments and environment, with a toolkit, a driver and a GPU that are only files."""

import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

LAB = Path(__file__).resolve().parent


class Scripts(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        self.bin = self.root / "bin"
        self.script = self.root / "notebooks/lab/cuda.sh"
        self.script.parent.mkdir(parents=True)
        shutil.copy(LAB / "cuda.sh", self.script)
        self.program("ldconfig", f'echo "libcuda.so.1 (libc6,x86-64) => {self.root}/libcuda.so.1"')
        self.gpu(None)

    def program(self, name, body, folder=None):
        path = (folder or self.bin) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)

    def gpu(self, capability):
        """An nvidia-smi that knows a GPU of this capability, or none."""
        answer = f'[ "$1" = -L ] && echo "GPU 0: a file" || printf "compute_cap\\n{capability}\\n"'
        self.program("nvidia-smi", answer if capability else "exit 9")

    def toolkit(self, *libraries):
        root = self.root / "toolkit"
        self.program("nvcc", "exit 0", root / "bin")
        for name in ["include/cuda.h", *(f"lib64/lib{library}.so.13" for library in libraries)]:
            (root / name).parent.mkdir(exist_ok=True)
            (root / name).touch()
        return root

    def run_script(self, *command, **variables):
        environment = {**os.environ, "PATH": f"{self.bin}:{os.environ['PATH']}"}
        environment.pop("CUDA_COMPUTE_CAP", None)
        return subprocess.run(["bash", *map(str, command)], env=environment | variables, capture_output=True, text=True)

    def cuda(self, *command, **variables):
        root = self.toolkit("cublas", "cublasLt", "nvrtc")
        return self.run_script(self.script, *command, CUDA_PATH=str(root), **variables)

    def test_a_system_toolkit_is_used_as_it_is(self):
        self.gpu("9.0")
        done = self.cuda("env")
        self.assertEqual(done.returncode, 0, done.stderr)
        variables = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
        links = self.root / "notebooks/.cuda/links"
        self.assertEqual(variables["CUDA_PATH"], str(links))
        self.assertEqual(variables["CUDA_ROOT"], str(links))
        self.assertEqual(variables["LIBRARY_PATH"].split(":")[0], str(links / "lib64"))
        self.assertIn(str(self.root / "toolkit/lib64"), variables["LD_LIBRARY_PATH"].split(":"))
        self.assertIn(str(self.root / "toolkit/bin"), variables["PATH"].split(":"))
        self.assertTrue((links / "include/cuda.h").exists())
        for name in ["cublas", "cublasLt", "nvrtc"]:
            self.assertEqual((links / f"lib64/lib{name}.so").readlink().name, f"lib{name}.so.13")
        self.assertEqual(str((links / "lib64/libcuda.so").readlink()), f"{self.root}/libcuda.so.1")
        self.assertFalse((links / "bin/nvidia-smi").exists())

    def test_the_command_decides_the_status(self):
        self.assertEqual(self.cuda("sh", "-c", "exit 7", CUDA_COMPUTE_CAP="90").returncode, 7)

    def test_without_a_gpu_its_capability_is_asked_for(self):
        for given in [{}, {"CUDA_COMPUTE_CAP": "9.0"}]:
            refused = self.cuda("true", **given)
            self.assertEqual(refused.returncode, 1)
            self.assertIn("shows no GPU: set CUDA_COMPUTE_CAP", refused.stderr)
        told = self.cuda("nvidia-smi", "--query-gpu=compute_cap", "--format=csv", CUDA_COMPUTE_CAP="90")
        self.assertEqual(told.stdout, "compute_cap\n90\n")

    def test_a_toolkit_that_lacks_a_library_is_refused(self):
        root = self.toolkit("cublas", "nvrtc")
        refused = self.run_script(self.script, "true", CUDA_PATH=str(root), CUDA_COMPUTE_CAP="90")
        self.assertEqual(refused.returncode, 1)
        self.assertIn("has no libcublasLt", refused.stderr)

    def test_help(self):
        self.assertIn("CUDA_COMPUTE_CAP", self.run_script(self.script).stdout)
        self.assertIn("--cuda", self.run_script(LAB.parent / "lab.sh", "--help").stdout)

    def test_what_the_lab_refuses_before_it_sets_anything_up(self):
        for arguments, reason in [
            (["--cuda"], "no GPU to run the notebooks on"),
            (["--run", "00_quickstart", "--cuda"], "no GPU to run the notebooks on"),
            (["--cudas"], "unknown option --cudas"),
            (["--run"], "--run wants the names of notebooks"),
        ]:
            refused = self.run_script(LAB.parent / "lab.sh", *arguments)
            self.assertEqual((refused.returncode, refused.stdout), (1, ""), arguments)
            self.assertIn(reason, refused.stderr)


if __name__ == "__main__":
    unittest.main()
