import logging

import pytest
import yaml

from toolkit.cli.app import _show_notices
from toolkit.curation.recipe import Recipe
from toolkit.errors import MissingError, RecipeError


def test_default_recipe_keeps_the_original_bytes_and_drops_nothing_by_score():
    recipe = Recipe.load(None)
    assert recipe.keep == "original"
    assert recipe.filters == {}
    assert recipe.max_refused_share is None
    assert recipe.near_duplicates.action == "group"


def test_units_are_read_as_people_write_them():
    recipe = Recipe.load({"max_pixels": "50 Mpx", "shard_bytes": "64 MiB", "max_refused_share": "5 %"})
    assert recipe.max_pixels == 50_000_000
    assert recipe.shard_bytes == 64 * 2**20
    assert recipe.max_refused_share == 0.05


def test_yaml_and_json_files_are_read(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text("min_side_px: 64\nsplits: {train: 90 %, test: 10 %}\n")
    recipe = Recipe.load(path)
    assert recipe.min_side_px == 64
    assert recipe.splits == {"train": 0.9, "test": 0.1}
    path.write_text('{"seed": 7}')
    assert Recipe.load(str(path)).seed == 7
    path.write_text("")
    assert Recipe.load(path) == Recipe()


def test_yaml_with_comments_reads_back_equal(tmp_path):
    recipe = Recipe.load({"filters": {"sharpness_score": {"at_least": 20}}, "licence": "CC0"})
    path = tmp_path / "recipe.yaml"
    path.write_text(recipe.to_yaml())
    assert Recipe.load(path) == recipe
    assert "# Images whose shorter side is below this are dropped as too_small." in recipe.to_yaml()
    assert set(yaml.safe_load(recipe.to_yaml())) == set(Recipe.model_fields)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"min_side": 16}, ["'min_side' is not a key", "min_side_px"]),
        ({"min_side_px": 0}, ["min_side_px: 0 is not allowed", "greater than or equal to 1"]),
        ({"shard_bytes": "256 bananas"}, ["shard_bytes: '256 bananas' is not allowed", "40 TB"]),
        ({"keep": "small"}, ["keep: 'small' is not allowed", "'original' or 'resized'"]),
        ({"keep": "resized"}, ["needs a resize"]),
        ({"resize": {"longest_px": 512, "shortest_px": 256}}, ["resize", "exactly one of longest_px and shortest_px"]),
        ({"splits": {"train": 0.5, "test": 0.4}}, ["the shares sum to 0.9"]),
        ({"splits": {"train": 0.5, "dev": 0.5}}, ["'dev' is not a split", "validation"]),
        ({"filters": {"beauty": {"at_least": 1}}}, ["'beauty' is not a score", "sharpness_score"]),
        ({"filters": {"entropy_bits": {}}}, ["give at_least, at_most or both"]),
        ({"near_duplicates": {"distance": 9}}, ["near_duplicates.distance: 9", "less than or equal to 8"]),
        ({"near_duplicates": {"radius": 3}}, ["'near_duplicates.radius' is not a key", "distance, action"]),
        ({"max_refused_share": 3}, ["max_refused_share: 3"]),
    ],
)
def test_each_problem_is_named_with_key_value_and_what_is_allowed(values, words):
    with pytest.raises(RecipeError) as caught:
        Recipe.load(values)
    for word in words:
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "Traceback" not in str(caught.value)


def test_all_problems_are_raised_at_once():
    with pytest.raises(RecipeError, match=r"min_side_px.*sede"):
        Recipe.load({"min_side_px": -1, "sede": 3})


def test_a_file_that_is_missing_or_no_mapping_is_named(tmp_path):
    with pytest.raises(MissingError, match="there is no recipe at"):
        Recipe.load(tmp_path / "none.yaml")
    path = tmp_path / "recipe.yaml"
    path.write_text("- 1\n- 2\n")
    with pytest.raises(RecipeError, match="holds list"):
        Recipe.load(path)
    path.write_text("a: [1, 2\n")
    with pytest.raises(RecipeError, match="is not YAML"):
        Recipe.load(path)
    path.write_text("!!python/object/apply:os.system ['true']\n")
    with pytest.raises(RecipeError, match="is not YAML"):
        Recipe.load(path)


def test_equal_recipes_have_one_text():
    assert Recipe.load({"shard_bytes": "256 MiB"}).to_json() == Recipe().to_json()
    assert Recipe.load({"seed": 1}).to_json() != Recipe().to_json()


def test_what_a_user_should_know_is_shown_once_on_standard_error(capsys, monkeypatch):
    monkeypatch.setattr(logging.getLogger("tonnage"), "handlers", [])
    _show_notices()
    _show_notices()
    logging.getLogger("tonnage").warning("nothing new was found")
    assert capsys.readouterr().err == "nothing new was found\n"
