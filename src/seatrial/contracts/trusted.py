"""What a scikit-learn file (skops) may hold: every type is data or a fitted estimator, and none of them can run code.

Subjects refuse files that hold anything else, before anything is loaded; whoever then loads one (a runtime, a conversion)
gives `TRUSTED` to skops, which checks once more.
"""

from __future__ import annotations

TREE = "sklearn.tree._tree.Tree"
TREE_PREDICTOR = "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"
"""Trees' indices could lead out of memory: subjects check those, too."""

_NUMBERS = tuple(
    f"numpy.{name}"
    for name in (
        *("bool", "bool_", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
        *("float16", "float32", "float64", "str_"),
    )
)

_ESTIMATORS = {
    "sklearn.compose._column_transformer": ("ColumnTransformer", "_RemainderColsList", "make_column_selector"),
    "sklearn.dummy": ("DummyClassifier", "DummyRegressor"),
    "sklearn.ensemble._forest": (
        "ExtraTreesClassifier",
        "ExtraTreesRegressor",
        "RandomForestClassifier",
        "RandomForestRegressor",
    ),
    "sklearn.ensemble._gb": ("GradientBoostingClassifier", "GradientBoostingRegressor"),
    "sklearn.ensemble._hist_gradient_boosting.binning": ("_BinMapper",),
    "sklearn.ensemble._hist_gradient_boosting.gradient_boosting": (
        "HistGradientBoostingClassifier",
        "HistGradientBoostingRegressor",
    ),
    "sklearn.ensemble._hist_gradient_boosting.predictor": ("TreePredictor",),
    "sklearn.impute._base": ("MissingIndicator", "SimpleImputer"),
    "sklearn.linear_model._base": ("LinearRegression",),
    "sklearn.linear_model._coordinate_descent": ("ElasticNet", "Lasso"),
    "sklearn.linear_model._logistic": ("LogisticRegression",),
    "sklearn.linear_model._ridge": ("Ridge",),
    "sklearn.neural_network._multilayer_perceptron": ("MLPClassifier", "MLPRegressor"),
    "sklearn.neural_network._stochastic_optimizers": ("AdamOptimizer", "SGDOptimizer"),
    "sklearn.pipeline": ("Pipeline",),
    "sklearn.preprocessing._data": ("MaxAbsScaler", "MinMaxScaler", "RobustScaler", "StandardScaler"),
    "sklearn.preprocessing._encoders": ("OneHotEncoder", "OrdinalEncoder"),
    "sklearn.preprocessing._function_transformer": ("FunctionTransformer",),  # its function can't be in the file
    "sklearn.preprocessing._label": ("LabelBinarizer", "LabelEncoder"),
    "sklearn.tree._classes": (
        "DecisionTreeClassifier",
        "DecisionTreeRegressor",
        "ExtraTreeClassifier",
        "ExtraTreeRegressor",
    ),
    "sklearn._loss.link": ("HalfLogitLink", "IdentityLink", "Interval", "LogLink", "LogitLink", "MultinomialLogit"),
    "sklearn._loss.loss": (
        "AbsoluteError",
        "ExponentialLoss",
        "HalfBinomialLoss",
        "HalfGammaLoss",
        "HalfMultinomialLoss",
        "HalfPoissonLoss",
        "HalfSquaredError",
        "HuberLoss",
        "PinballLoss",
    ),
}
SKOPS_TYPES: dict[str, frozenset[str]] = {
    "ObjectNode": frozenset(f"{module}.{name}" for module, names in _ESTIMATORS.items() for name in names),
    "TreeNode": frozenset({TREE}),
    "LossNode": frozenset(f"sklearn._loss._loss.Cy{name}" for name in _ESTIMATORS["sklearn._loss.loss"]),
    "DictNode": frozenset({"builtins.dict"}),
    "ListNode": frozenset({"builtins.list"}),
    "TupleNode": frozenset({"builtins.tuple"}),
    "JsonNode": frozenset({"builtins.str"}),
    "SliceNode": frozenset({"builtins.slice"}),
    "NdArrayNode": frozenset({"numpy.ndarray", *_NUMBERS}),
    "DTypeNode": frozenset({"numpy.dtype"}),
    "TypeNode": frozenset(
        {*(f"builtins.{name}" for name in ("bool", "float", "int", "object", "str")), "numpy.number", *_NUMBERS}
    ),
    "RandomStateNode": frozenset({"numpy.random.mtrand.RandomState"}),
    "RandomGeneratorNode": frozenset({"numpy.random._generator.Generator"}),
}
"""By the loader that a file names for a node: the types which that node may be. Loaders that aren't here are refused:
functions, methods, partial functions, constructors with arguments."""

TRUSTED = tuple(sorted({type_ for types in SKOPS_TYPES.values() for type_ in types}))
"""All of them, for skops."""

BIT_GENERATORS = frozenset({"MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64"})
