"""The captions of the chapter's tables and figures."""

EXPLANATION = (
    "A network that is trained on true masks segments lungs and heart. Hearts of explanations are"
    " 'segmented' by it, or 'registered' as in the paper: the query is registered to its"
    " explanation and its segmented organs are moved along. Sizes: the area of the heart over that"
    " of the box around lungs and heart, and the cardiothoracic ratio, the heart's width over that"
    " of the box."
)
BINS = "Figure 4a in numbers: mean size of the heart in the explanations."
SIZES = (
    "Spearman's correlation of size and desired probability, over all pairs and as the mean within"
    " queries; and the mean distance of sizes from those of the same persons' true counterfactuals,"
    " found in the same way, of the explanations at the opposite extreme and of the queries"
    " themselves, on queries that were decided rightly. Error of the way: of the true"
    " counterfactuals' sizes as they are found, from those of their true masks. Left out: queries"
    " with an image in which no lung was found. Brackets: 95 % bootstrap intervals over queries."
)
GROUPS = (
    "Figure 4b in numbers: mean and standard deviation of the size of real hearts for which the"
    " classifier's probability is below 0.1 or above 0.9, and of those of their explanations that"
    " lie beyond the opposite bound."
)
TESTS = (
    "The paper's t-tests of mean sizes, the first group less the second. Its text takes both"
    " independent tests for equality, though the p-value that it prints for enlarged hearts is"
    " below its own bound."
)
DICE = "The segmentation on test images, of which neither it nor the explainer was trained on any."
