"""What a program does where there is a GPU, without one: by stand-ins."""

import json
import re


def test_where_there_is_a_gpu_it_is_taken_with_its_own_defaults(program):
    """As README says; the GPU is a stand-in, nothing is trained."""
    output = program.module("with_gpu", program.framework)
    said = json.loads(output.splitlines()[-1])
    text = re.sub("[│\\s]+", " ", said.pop("help"))
    name = "a stand-in for a GPU"
    assert said == {"auto": name, "gpu": name, "cpu": "cpu", "exit code": 0}
    assert "those of --preset dawnbench on a GPU" in text
    modes = {"tensorflow_eager": "eager"}
    mode = modes.get(program.framework, "compiled")
    assert f"own way (default: {mode})" in text
    assert "meant for tests (default: bfloat16)" in text


def test_pytorchs_tensors_are_made_where_the_images_are(programs):
    programs["pytorch"].module("elsewhere")
