"""The words of four of the tests of Caliskan et al. (2017), table 1, and what they found (GloVe 840B, 300 numbers)."""

from typing import NamedTuple


class Test(NamedTuple):
    """Two lists of targets, two of attributes, and the paper's effect size."""

    lists: dict[str, str]
    paper: float


TESTS = {
    "1 flowers and insects": Test(
        {
            "flowers": "aster clover hyacinth marigold poppy azalea crocus iris orchid rose bluebell daffodil lilac "
            "pansy tulip buttercup daisy lily peony violet carnation gladiola magnolia petunia zinnia",
            "insects": "ant caterpillar flea locust spider bedbug centipede fly maggot tarantula bee cockroach gnat "
            "mosquito termite beetle cricket hornet moth wasp blackfly dragonfly horsefly roach weevil",
            "pleasant": "caress freedom health love peace cheer friend heaven loyal pleasure diamond gentle honest "
            "lucky rainbow diploma gift honor miracle sunrise family happy laughter paradise vacation",
            "unpleasant": "abuse crash filth murder sickness accident death grief poison stink assault disaster "
            "hatred pollute tragedy divorce jail poverty ugly cancer kill rotten vomit agony prison",
        },
        1.50,
    ),
    "6 names, career and family": Test(
        {
            "male names": "John Paul Mike Kevin Steve Greg Jeff Bill",
            "female names": "Amy Joan Lisa Sarah Diana Kate Ann Donna",
            "career": "executive management professional corporation salary office business career",
            "family": "home parents children family cousins marriage wedding relatives",
        },
        1.81,
    ),
    "7 math and arts, male and female": Test(
        {
            "math": "math algebra geometry calculus equations computation numbers addition",
            "arts": "poetry art dance literature novel symphony drama sculpture",
            "male": "male man boy brother he him his son",
            "female": "female woman girl sister she her hers daughter",
        },
        1.06,
    ),
    "8 science and arts, male and female": Test(
        {
            "science": "science technology physics chemistry Einstein NASA experiment astronomy",
            "arts": "poetry art Shakespeare dance literature novel symphony drama",
            "male": "brother father uncle grandfather son he his him",
            "female": "sister mother aunt grandmother daughter she hers her",
        },
        1.24,
    ),
}
