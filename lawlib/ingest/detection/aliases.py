"""The names of columns by quantity, as frameworks, trackers and papers write them."""

from __future__ import annotations

# Names without case, blanks, underscores and hyphens; the first that a file has is taken. Non-embedding counts come first.
ALIASES: dict[str, tuple[str, ...]] = {
    "name": ("name", "runname", "run", "runid", "displayname", "modelname", "experimentname", "expname", "hyperid", "model", "id"),
    "arch": ("arch", "architecture", "modeltype"),
    "n_active": (
        "nactive", "nactivenonemb", "activenonembeddingparams", "activeparams", "activeparameters", "nactiveparams",
        "activatedparams", "activatedparameters", "paramsactive", "paramsactiveprecise", "activeparametercount",
    ),
    "n_total": (
        "ntotal", "ntotalnonemb", "totalnonembeddingparams", "totalparams", "totalparameters", "ntotalparams",
        "paramstotal", "totalparametercount",
    ),
    "n_params": (
        "nonembeddingparams", "nonembeddingparameters", "nnoemb", "nparamsnonembedding", "paramsnonembedding", "paramsnoembed",
        "paramsnoemb", "nparamsnoembed", "nonembparams", "nnonembedding", "nonembeddingparametercount", "n", "nparams", "numparams",
        "params", "parameters", "numparameters", "nparameters", "parametercount", "modelsize", "modelparams", "paramcount",
        "modelnumparameters", "modelparameters", "modelparametercount",
    ),
    "d_model": (
        "dmodel", "hiddendim", "hiddensize", "modeldim", "embeddim", "nembd", "width", "dim", "embdim", "baseembdim", "embeddingdim",
        "modelwidth", "hiddenwidth",
    ),
    "n_layers": (
        "nlayers", "numlayers", "nlayer", "layers", "numhiddenlayers", "numblocks", "nblocks", "depth", "numl", "numdecoderlayers",
        "basenumdecoderlayers", "layernum", "numlayer",
    ),
    "n_experts": (
        "nexperts", "numexperts", "numberofexperts", "experts", "nroutedexperts", "numroutedexperts", "numlocalexperts",
        "moenumexperts", "nummoeexperts", "nume", "nexpert", "numexpert", "expertcount", "routedexperts", "moeexperts", "moenexperts",
        "totalexperts", "numtotalexperts", "numexpertsperlayer", "expertsperlayer", "moenumroutedexperts", "nroutedexpert", "expertnum",
        "moeexpertnum", "numberexperts", "moenroutedexperts", "ffnnumexperts", "moenumlocalexperts", "numexpertstotal", "moeexpertcount",
    ),
    "top_k": (
        "topk", "moetopk", "moetopkk", "moeroutertopk", "routertopk", "numexpertspertok", "expertspertoken", "numexpertspertoken",
        "expertspertok", "nexpertspertoken", "nexpertspertok", "numactiveexperts", "nactiveexperts", "activeexperts", "nactivatedexperts",
        "numactivatedexperts", "activatedexperts", "moek", "topkexperts", "numselectedexperts", "expertusedcount", "nexpertsused",
        "numexpertsactivated", "routerk", "moetopkrouter", "moerouterk", "expertspertokentopk", "numexpertsselected", "ntopk",
        "moenumexpertspertok", "numexpertspertopk", "topkrouting", "moenumactiveexperts", "moenumselectedexperts", "k",
    ),
    "granularity": ("granularity", "expertgranularity", "moegranularity", "g"),
    "expansion": ("expansion", "expansionrate", "expertexpansion"),
    "tokens": (
        "d", "totaltokens", "tokenstotal", "tokens", "ntokens", "numtokens", "traintokens", "trainingtokens", "numtraintokens", "tokensseen",
        "ntokensseen", "numinputtokensseen", "consumedtokens", "tokensconsumed", "tokenstrained", "trainedtokens", "seentokens",
        "numtokensseen", "totaltokensseen", "tokensseentotal", "tokensprocessed", "processedtokens", "cumulativetokens", "timetoken",
        "totaltrainingtokens", "trainingtokensseen", "tokencount", "ntraintokens", "numtrainingtokens", "tokenssofar", "traintokensseen",
    ),
    "flops": (
        "c", "flops", "flop", "totalflops", "totalflop", "trainingflops", "trainingflop", "trainflops", "trainflop",
        "trainingcompute", "traincompute", "compute", "totalcompute", "totalflos", "cflops", "trainingcomputeflops",
        "computeflops", "numflops", "nflops", "flopbudget", "flopsbudget", "budgetflops", "totaltrainingflops", "totaltrainflops",
        "traincomputeflops", "computebudget", "computebudgetflops",
    ),
    "seed": ("seed", "randomseed", "trainseed"),
    "status": ("status", "state"),
    "exclude_reason": ("excludereason",),
    "excluded": ("excluded", "outlier", "isoutlier"),
}  # fmt: skip
WIDTHS: dict[str, tuple[str, ...]] = {
    "d_expert": (
        "dexpert", "moeintermediatesize", "moeffnhiddensize", "expertwidth", "expertdim", "expertsize", "moeh", "expertffn", "expertffndim",
        "expertintermediatesize", "expertffnhiddensize", "expertffdim", "expertdff", "dffexpert", "dffmoe", "moedff", "dmoe", "moeffn",
        "moeffndim", "moedim", "moeinterdim", "expertinterdim", "moemlpdim", "expertmlpdim", "basemoemlpdim", "moehiddensize", "moewidth",
        "experthiddensize", "experthiddendim", "moehiddendim", "moeexpertdim", "expertintermediatedim", "moeintermediatedim", "expertffnsize",
    ),
    "d_ff": (
        "dff", "ffnhiddensize", "intermediatesize", "intermediatesizemlp", "ffnh", "ffndim", "ffdim", "mlpdim", "basemlpdim", "interdim", "nff",
        "feedforwarddim", "ffnwidth", "ffwidth", "mlphiddensize", "mlphiddendim", "ffhiddensize", "ffnintermediatesize", "intermediatedim",
        "dffn", "dffdense", "densedff", "denseffndim", "densewidth", "ffnsize", "ninner", "mlpwidth", "ffnhiddendim", "denseintermediatesize",
    ),
}  # fmt: skip
"""Feed-forward widths, of an expert and of the dense layers: no quantities of a run, but G is their ratio."""
STEPS = (
    "step", "globalstep", "iteration", "iter", "trainstep", "trainingstep", "currentstep", "currentsteps", "trainerglobalstep", "globalsteps",
    "iternum", "iterations", "optimizerstep", "updatestep", "trainiter", "trainiteration", "trainingiteration", "numupdates", "updates", "timebatch",
)  # fmt: skip
LIKE_STEPS = ("steps", "update", "batch", "it", "numsteps")
"""What may count the steps of a run; taken only where it grows along the run."""
COUNTERS = (
    "checkpoint", "ckpt", "samples", "consumedsamples", "sample", "samplesseen", "numsamples",
    "examples", "sequences", "timesample", "epoch", "relativetimeprocess", "relativetimewall", "walltime", "elapsed", "elapsedhours",
    "elapsedtime", "time", "hours", "trainhours", "timehours", "runtime", "seconds", "minutes", "times", "timestamp",
)  # fmt: skip
"""What may grow along a run in place of a step, after the tokens."""
