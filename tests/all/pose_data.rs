//! Pose sets: read, refused, cropped, augmented and generated.

use std::f64::consts::{FRAC_PI_2, PI};
use std::path::Path;

use image::{GrayImage, RgbImage};
use serde_json::{json, Value};

use crate::support::{assert_close, wide};
use reloss::data::{
    heatmap_targets, partners_by_name, CocoPose, Crop, ImageShape, Instance, Picture, PoseAugment, PoseSet,
    Skeleton, View, COCO_SIGMAS,
};
use reloss::Error;

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| name.to_string()).collect()
}

#[test]
fn partners_are_found_by_side() {
    for (joints, partners) in [
        (&["left_eye", "right_eye", "nose"][..], &[1, 0, 2][..]),
        (&["RightHip", "LeftHip"], &[1, 0]),
        (&["hip_left", "knee_left", "hip_right"], &[2, 1, 0]),
        (&["forelegR1", "forelegL1", "forelegL2"], &[1, 0, 2]),
        (&["l_ear", "r_ear", "eye.l", "eye.r", "lip", "rip"], &[1, 0, 3, 2, 4, 5]),
        // More than one difference, or two candidates: none.
        (&["paw1LH", "paw4RH"], &[0, 1]),
        (&["LL", "LR", "RL"], &[0, 1, 2]),
    ] {
        assert_eq!(partners_by_name(&names(joints)), partners, "{joints:?}");
    }
}

#[test]
fn skeletons_are_checked() {
    let joints = || names(&["a", "b"]);
    let make = |limbs: &[[usize; 2]], partners: &[usize], sigmas: &[f64]| {
        Skeleton::new(joints(), limbs.to_vec(), partners.to_vec(), sigmas.to_vec())
    };
    assert_eq!(make(&[[0, 1]], &[1, 0], &[0.1, 0.2]).unwrap().limbs(), [[0, 1]]);
    assert!(matches!(make(&[], &[0], &[0.1, 0.2]), Err(Error::Shape { .. })));
    assert!(matches!(make(&[], &[0, 1], &[0.1]), Err(Error::Shape { .. })));
    assert!(matches!(Skeleton::new(vec![], vec![], vec![], vec![]), Err(Error::Shape { .. })));
    for (limbs, partners, sigmas) in [
        (&[[0, 2]][..], &[0, 1][..], &[0.1, 0.2][..]),
        (&[[1, 1]], &[0, 1], &[0.1, 0.2]),
        (&[], &[1, 1], &[0.1, 0.2]),
        (&[], &[0, 2], &[0.1, 0.2]),
        (&[], &[0, 1], &[0.1, 0.0]),
        (&[], &[0, 1], &[f64::NAN, 0.1]),
    ] {
        assert!(matches!(make(limbs, partners, sigmas), Err(Error::Parameter { .. })));
    }
    let twice = Skeleton::new(names(&["a", "a"]), vec![], vec![0, 1], vec![0.1; 2]).unwrap_err();
    assert!(twice.to_string().contains("joints 0 and 1 are both called `a`"), "{twice}");
}

/// A file of two flies in two images and a mouse, with what must be left out.
fn annotations() -> Value {
    let annotation = |id: u64, image: u64, category: u64, keypoints: Value| {
        json!({
            "id": id, "image_id": image, "category_id": category, "iscrowd": 0, "area": 30.0,
            "bbox": [1.0, 1.0, 6.0, 5.0], "num_keypoints": 2, "keypoints": keypoints,
        })
    };
    let mut crowd = annotation(13, 3, 5, json!([]));
    crowd["iscrowd"] = json!(1);
    let mut unannotated = annotation(14, 9, 5, json!([0, 0, 0, 0, 0, 0, 0, 0, 0]));
    unannotated["num_keypoints"] = json!(0);
    let mut empty = annotation(15, 3, 5, json!([1, 1, 2, 0, 0, 0, 0, 0, 0]));
    empty["bbox"] = json!([1, 1, 0, 0]);
    json!({
        "images": [
            {"id": 3, "file_name": "three.png", "width": 8, "height": 7},
            {"id": 4, "file_name": "four.jpg", "width": 8, "height": 8},
            {"id": 9, "file_name": "never there.png", "width": 1, "height": 1},
        ],
        "categories": [
            {"id": 5, "name": "fly", "keypoints": ["head", "eyeL", "eyeR"], "skeleton": [[1, 2], [1, 3]]},
            {"id": 6, "name": "mouse", "keypoints": ["nose"], "skeleton": [], "keypoints_sigmas": [0.3]},
        ],
        "annotations": [
            annotation(11, 4, 5, json!([1, 2, 2, 7.5, 7.5, 1, 0, 0, 0])),
            annotation(12, 3, 5, json!([-0.5, 3.25, 2, 8, 7, 2, 0, 0, 0])),
            crowd, unannotated, empty,
            annotation(16, 3, 6, json!([1, 1, 2])),
        ],
    })
}

/// Images of [`annotations`]: a grey one whose pixels count, and one that is half red.
fn write_images(folder: &Path) {
    GrayImage::from_fn(8, 7, |x, y| image::Luma([(10 * y + x) as u8]))
        .save(folder.join("three.png"))
        .unwrap();
    let red = |x, _| image::Rgb([if x < 4 { 255 } else { 0 }, 0, 0]);
    RgbImage::from_fn(8, 8, red).save(folder.join("four.jpg")).unwrap();
}

fn read(folder: &Path, file: &Value, options: &CocoPose) -> reloss::Result<PoseSet> {
    let path = folder.join("keypoints.json");
    std::fs::write(&path, file.to_string()).unwrap();
    PoseSet::coco(&path, folder, options)
}

fn of(category: &str) -> CocoPose {
    CocoPose { category: Some(category.to_string()), ..CocoPose::default() }
}

#[test]
fn coco_files_of_any_category_are_read() {
    let folder = tempfile::tempdir().unwrap();
    write_images(folder.path());
    let set = read(folder.path(), &annotations(), &of("fly")).unwrap();
    let left_out = set.left_out();
    assert_eq!((set.name(), set.len(), set.pictures().len(), set.channels()), ("fly", 2, 2, 3));
    assert_eq!((left_out.crowds, left_out.unannotated, left_out.empty), (1, 1, 1));
    let skeleton = set.skeleton();
    assert_eq!((skeleton.limbs(), skeleton.partners()), (&[[0, 1], [0, 2]][..], &[0, 2, 1][..]));
    assert_eq!(skeleton.sigmas(), [Skeleton::SIGMA; 3]);
    let [first, second] = [0, 1].map(|i| &set.instances()[i]);
    assert_eq!((first.id, first.picture, second.id, second.picture), (11, 0, 12, 1));
    assert_eq!(first.keypoints, [[1.0, 2.0], [7.5, 7.5], [0.0, 0.0]]);
    assert_eq!((first.visible.as_slice(), first.area), (&[true, true, false][..], 30.0));
    // JPEG is red on the left; the grey PNG has three planes beside it.
    let red = &set.pictures()[0];
    assert!(red.pixels()[0] > 0.8 && red.pixels()[7] < 0.2 && red.pixels()[64] < 0.2);
    let grey = &set.pictures()[1];
    assert_eq!(grey.shape(), ImageShape { channels: 3, height: 7, width: 8 });
    assert_eq!((grey.pixels()[9], grey.pixels()[2 * 56 + 9]), (11.0 / 255.0, 11.0 / 255.0));

    let given = CocoPose { sigmas: Some(vec![0.1, 0.2, 0.3]), partners: Some(vec![0, 1, 2]), ..of("fly") };
    let set = read(folder.path(), &annotations(), &given).unwrap();
    assert_eq!((set.skeleton().sigmas(), set.skeleton().partners()), (&[0.1, 0.2, 0.3][..], &[0, 1, 2][..]));
    // What the file says goes first; grey stays grey.
    let mouse = CocoPose { sigmas: Some(vec![0.7]), ..of("mouse") };
    let set = read(folder.path(), &annotations(), &mouse).unwrap();
    assert_eq!((set.skeleton().sigmas(), set.channels(), set.in_colour().channels()), (&[0.3][..], 1, 3));
}

#[test]
fn persons_have_cocos_sigmas() {
    let folder = tempfile::tempdir().unwrap();
    write_images(folder.path());
    let mut file = annotations();
    let joints: Vec<String> = (0..17).map(|k| format!("joint {k}")).collect();
    file["categories"] = json!([{"id": 5, "name": "person", "keypoints": joints, "skeleton": []}]);
    let keypoints: Vec<u8> = [1, 1, 2].repeat(17);
    file["annotations"] = json!([{
        "id": 1, "image_id": 3, "category_id": 5, "area": 9.0, "bbox": [0, 0, 3, 3], "num_keypoints": 17,
        "keypoints": keypoints,
    }]);
    let set = read(folder.path(), &file, &CocoPose::default()).unwrap();
    assert_eq!(set.skeleton().sigmas(), COCO_SIGMAS);
    assert_eq!(reloss::metric::Oks::default().sigmas, COCO_SIGMAS);
}

#[test]
fn bad_annotations_name_id_and_file() {
    let folder = tempfile::tempdir().unwrap();
    write_images(folder.path());
    type Damage = fn(&mut Value);
    let cases: [(Damage, &[&str]); 10] = [
        (|f| f["annotations"][1]["image_id"] = json!(77), &["annotation 12", "no image 77"]),
        (|f| f["annotations"][1]["keypoints"] = json!([1, 1, 2]), &["annotation 12", "3 numbers", "not 9"]),
        (
            |f| f["annotations"][0]["keypoints"] = json!([9, 2, 2, 1, 1, 1, 0, 0, 0]),
            &["annotation 11", "head at (9, 2)", "8 x 8"],
        ),
        (
            |f| f["annotations"][0]["keypoints"] = json!([1, 2, 2, 1, -1.5, 1, 0, 0, 0]),
            &["annotation 11", "eyeL at (1, -1.5)"],
        ),
        (
            |f| f["annotations"][0]["keypoints"] = json!([1, 2, 0, 1, 1, 0, 0, 0, 0]),
            &["annotation 11", "2 keypoints are said"],
        ),
        (|f| f["annotations"][1]["id"] = json!(11), &["annotation 11 occurs twice"]),
        (|f| f["images"][1]["id"] = json!(3), &["image 3 occurs twice"]),
        (|f| f["categories"][1]["id"] = json!(5), &["category 5 occurs twice"]),
        (|f| f["annotations"][1] = json!({"id": 12}), &["missing field"]),
        (|f| f["annotations"] = json!([]), &["nothing of category fly"]),
    ];
    for (damage, parts) in cases {
        let mut file = annotations();
        damage(&mut file);
        let error = read(folder.path(), &file, &of("fly")).unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, Error::Data { .. }), "{error:?}");
        assert!(
            text.contains("keypoints.json") && parts.iter().all(|p| text.contains(p)),
            "{parts:?}: {text}"
        );
    }
    // An annotation of another category may be as it likes.
    let mut file = annotations();
    file["annotations"][5]["keypoints"] = json!([]);
    assert_eq!(read(folder.path(), &file, &of("fly")).unwrap().len(), 2);
}

#[test]
fn bad_categories_say_what_there_is() {
    let folder = tempfile::tempdir().unwrap();
    write_images(folder.path());
    for (options, part) in [(of("cow"), "`cow` is not there"), (CocoPose::default(), "none is chosen")] {
        let error = read(folder.path(), &annotations(), &options).unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, Error::Parameter { name: "category", .. }), "{error:?}");
        assert!(text.contains(part) && text.contains("keypoints.json has [fly, mouse]"), "{text}");
    }
    let mut file = annotations();
    file["categories"][0]["skeleton"] = json!([[0, 1]]);
    let zero = read(folder.path(), &file, &of("fly")).unwrap_err().to_string();
    assert!(zero.contains("category fly") && zero.contains("count from 1"), "{zero}");
    file["categories"][0]["skeleton"] = json!([[1, 4]]);
    assert!(read(folder.path(), &file, &of("fly")).unwrap_err().to_string().contains("0 to 3"));
    let wrong = CocoPose { sigmas: Some(vec![0.1]), ..of("fly") };
    assert!(read(folder.path(), &annotations(), &wrong).unwrap_err().to_string().contains("category fly"));
}

#[test]
fn bad_images_name_id_and_file() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |parts: &[&str]| {
        let error = read(folder.path(), &annotations(), &of("fly")).unwrap_err();
        let text = error.to_string();
        assert!(parts.iter().all(|part| text.contains(part)), "{parts:?}: {text}");
        match error {
            Error::At { source, .. } => *source,
            other => panic!("{other:?}"),
        }
    };
    write_images(folder.path());
    let (png, jpeg) = (folder.path().join("three.png"), folder.path().join("four.jpg"));
    let [good_png, good_jpeg] = [&png, &jpeg].map(|path| std::fs::read(path).unwrap());
    std::fs::remove_file(&png).unwrap();
    assert!(matches!(refused(&["image 3", "three.png"]), Error::Io { .. }));
    let mut flipped = good_png.clone();
    let last = flipped.len() - 20;
    flipped[last] ^= 1;
    for bytes in [&b""[..], b"text", &good_png[..good_png.len() / 2], &flipped] {
        std::fs::write(&png, bytes).unwrap();
        assert!(matches!(refused(&["image 3", "three.png", "not decoded"]), Error::Data { .. }));
    }
    GrayImage::new(7, 8).save(&png).unwrap();
    assert!(matches!(refused(&["image 3", "three.png", "7 x 8 pixels, not 8 x 7"]), Error::Data { .. }));
    std::fs::write(&png, &good_png).unwrap();
    for end in [10, good_jpeg.len() / 2, good_jpeg.len() - 6] {
        std::fs::write(&jpeg, &good_jpeg[..end]).unwrap();
        assert!(matches!(refused(&["image 4", "four.jpg", "not decoded"]), Error::Data { .. }));
    }
}

#[test]
fn files_of_other_depths_are_spread_to_one_range() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("16.png");
    image::ImageBuffer::<image::Luma<u16>, _>::from_raw(2, 1, vec![65535u16, 13107])
        .unwrap()
        .save(&path)
        .unwrap();
    assert_close(&wide(Picture::read(&path).unwrap().pixels()), &[1.0, 0.2], 1e-6);
    image::RgbaImage::from_raw(1, 1, vec![255, 51, 0, 9]).unwrap().save(&path).unwrap();
    let clear = Picture::read(&path).unwrap();
    assert_close(&wide(clear.pixels()), &[1.0, 0.2, 0.0], 1e-6);
}

/// One instance with these joints, partners exchanged if two, in a picture whose pixels are given.
fn one(pixels: &[f32], height: usize, width: usize, keypoints: &[[f64; 2]], bbox: [f64; 4]) -> PoseSet {
    let joints = names(&["left", "right", "middle"][..keypoints.len()]);
    let partners = partners_by_name(&joints);
    let sigmas = vec![0.05; joints.len()];
    let skeleton = Skeleton::new(joints, vec![], partners, sigmas).unwrap();
    let picture = Picture::new(pixels.to_vec(), ImageShape { channels: 1, height, width }).unwrap();
    let visible = vec![true; keypoints.len()];
    let instance = Instance { id: 1, picture: 0, keypoints: keypoints.to_vec(), visible, bbox, area: 1.0 };
    PoseSet::new("one", skeleton, vec![picture], vec![instance]).unwrap()
}

/// A 4 × 4 picture whose box, with its margin, is the whole picture.
fn whole() -> PoseSet {
    let pixels: Vec<f32> = (1..=16).map(|v| v as f32).collect();
    one(&pixels, 4, 4, &[[0.0, 1.0], [3.0, 2.0], [1.5, 1.5]], [-0.1, -0.1, 3.2, 3.2])
}

#[test]
fn crops_by_hand() {
    let set = whole();
    let check = |view: View, want: &[f64], keypoints: [[f64; 2]; 3]| -> Crop {
        let crop = set.crop(0, &view).unwrap();
        assert_close(&wide(&crop.pixels), want, 1e-4);
        assert_close(crop.keypoints.as_flattened(), keypoints.as_flattened(), 1e-9);
        let back = crop.to_image(&crop.keypoints).unwrap();
        assert_close(back.as_flattened(), set.instances()[0].keypoints.as_flattened(), 1e-9);
        crop
    };
    let plain = View::new(4, 4);
    let all: Vec<f64> = (1..=16).map(f64::from).collect();
    let crop = check(plain, &all, [[0.0, 1.0], [3.0, 2.0], [1.5, 1.5]]);
    assert!((crop.per_pixel - 1.0).abs() < 1e-12);
    assert_close(&crop.bbox_size, &[3.2, 3.2], 1e-12);
    // Half the size: each pixel is the mean of four; the middle stays the middle.
    let crop = check(View::new(2, 2), &[3.5, 5.5, 11.5, 13.5], [[-0.25, 0.25], [1.25, 0.75], [0.5, 0.5]]);
    assert_eq!((crop.per_pixel, crop.visible.as_slice()), (0.5, &[true, true, true][..]));
    // A wider crop shows more to the left and right: black here.
    let wider = [0.0, 0.0, 5.0, 6.0, 7.0, 8.0, 0.0, 0.0];
    let crop = set.crop(0, &View::new(4, 8)).unwrap();
    assert_close(&wide(&crop.pixels[8..16]), &wider, 1e-4);
    // A quarter to the right, and what leaves the crop is not visible.
    let right = View { shift: [0.25, 0.0], ..plain };
    let want = [0, 1, 2, 3, 0, 5, 6, 7, 0, 9, 10, 11, 0, 13, 14, 15].map(f64::from);
    let crop = check(right, &want, [[1.0, 1.0], [4.0, 2.0], [2.5, 1.5]]);
    assert_eq!(crop.visible, [true, false, true]);
    // A quarter turn clockwise.
    let turned = [13, 9, 5, 1, 14, 10, 6, 2, 15, 11, 7, 3, 16, 12, 8, 4].map(f64::from);
    check(View { rotation: FRAC_PI_2, ..plain }, &turned, [[2.0, 0.0], [1.0, 3.0], [1.5, 1.5]]);
    // Twice as much is seen.
    let crop = set.crop(0, &View { scale: 2.0, ..plain }).unwrap();
    assert_close(&wide(&crop.pixels[5..7]), &[3.5, 5.5], 1e-4);
    // Mirrored, left and right change places.
    let mirrored = [4, 3, 2, 1, 8, 7, 6, 5, 12, 11, 10, 9, 16, 15, 14, 13].map(f64::from);
    check(View { flip: true, ..plain }, &mirrored, [[0.0, 2.0], [3.0, 1.0], [1.5, 1.5]]);
}

#[test]
fn flips_mirror_the_same_view() {
    let set = PoseSet::figures(3, 64, 5).unwrap();
    let view = View { scale: 0.8, rotation: 0.4, shift: [0.1, -0.05], ..View::new(20, 30) };
    for i in 0..set.len() {
        let [plain, flipped] = [false, true].map(|flip| set.crop(i, &View { flip, ..view }).unwrap());
        for (a, b) in plain.pixels.chunks(30).zip(flipped.pixels.chunks(30)) {
            let reversed: Vec<f32> = b.iter().rev().copied().collect();
            assert_close(&wide(a), &wide(&reversed), 1e-5);
        }
        for (joint, &partner) in set.skeleton().partners().iter().enumerate() {
            let [x, y] = plain.keypoints[joint];
            assert_close(&flipped.keypoints[partner], &[29.0 - x, y], 1e-9);
            assert_eq!(flipped.visible[partner], plain.visible[joint]);
        }
    }
}

#[test]
fn a_dot_lands_on_its_keypoint_in_any_view() {
    let mut pixels = vec![0.0; 31 * 41];
    pixels[15 * 41 + 22] = 1.0;
    let set = one(&pixels, 31, 41, &[[22.0, 15.0]], [12.0, 8.0, 16.0, 13.0]);
    let augment = PoseAugment { rotation: PI, ..PoseAugment::default() };
    for seed in 0..50 {
        let crop = set.crop(0, &augment.view(60, 70, seed).unwrap()).unwrap();
        let (mut sum, mut centre) = (0.0, [0.0; 2]);
        for (place, value) in wide(&crop.pixels).into_iter().enumerate() {
            sum += value;
            centre = [centre[0] + value * (place % 70) as f64, centre[1] + value * (place / 70) as f64];
        }
        assert_close(&centre.map(|v| v / sum), &crop.keypoints[0], 0.05);
        // A pixel of the picture covers this many of the crop.
        assert!((sum / crop.per_pixel.powi(2) - 1.0).abs() < 0.05);
        let back = crop.to_image(&crop.keypoints).unwrap();
        assert_close(&back[0], &[22.0, 15.0], 1e-9);
    }
}

#[test]
fn bad_views_are_refused() {
    let set = whole();
    let plain = View::new(4, 4);
    for view in [
        View { height: 0, ..plain },
        View { width: usize::MAX, ..plain },
        View { scale: 0.0, ..plain },
        View { scale: f64::NAN, ..plain },
        View { scale: 1e-300, ..plain },
        View { scale: 1e9, ..plain },
    ] {
        assert!(matches!(set.crop(0, &view), Err(Error::Parameter { .. })), "{view:?}");
    }
    for view in [View { rotation: f64::NAN, ..plain }, View { shift: [0.0, f64::INFINITY], ..plain }] {
        assert!(matches!(set.crop(0, &view), Err(Error::NotFinite { .. })), "{view:?}");
    }
    assert!(matches!(set.crop(1, &plain), Err(Error::Shape { .. })));
    let crop = set.crop(0, &plain).unwrap();
    assert!(matches!(crop.to_image(&[[0.0; 2]]), Err(Error::Shape { .. })));
    // So far away that nothing is seen: black, not a failure.
    let far = set.crop(0, &View { shift: [1e300, 0.0], ..plain }).unwrap();
    assert!(far.pixels.iter().all(|&v| v == 0.0) && !far.visible.contains(&true));
}

#[test]
fn sets_are_checked_taken_and_split() {
    let set = PoseSet::figures(10, 32, 0).unwrap();
    let rebuilt = |change: fn(&mut Instance)| {
        let mut instances = set.instances().to_vec();
        change(&mut instances[4]);
        let pictures = set.pictures().iter().map(|picture| Picture::clone(picture)).collect();
        PoseSet::new("set", set.skeleton().clone(), pictures, instances)
    };
    assert_eq!(rebuilt(|_| ()).unwrap().instances(), set.instances());
    // Joints with partners can be mirrored, unless the pictures say otherwise, as the greys of drawn figures do.
    assert!(rebuilt(|_| ()).unwrap().mirrors());
    let [part, _] = set.split(0.2, 0).unwrap();
    assert!(!set.mirrors() && !part.mirrors() && !set.take(&[1]).unwrap().mirrors());
    type Change = fn(&mut Instance);
    let cases: [(Change, &str); 8] = [
        (|i| i.picture = 10, "a picture below 10, got 10"),
        (|i| i.keypoints.truncate(13), "14 keypoints and flags, got 13 and 14"),
        (|i| i.visible.truncate(13), "got 14 and 13"),
        (|i| i.keypoints[2][1] = f64::NAN, "index 5 is not finite"),
        (|i| i.bbox[0] = f64::INFINITY, "not finite"),
        (|i| i.bbox[2] = 0.0, "empty"),
        (|i| i.area = -1.0, "empty"),
        (|i| i.visible[0] = false, ""),
    ];
    for (change, reason) in cases {
        match rebuilt(change) {
            Ok(_) => assert!(reason.is_empty()),
            Err(error) => {
                let text = error.to_string();
                assert!(text.starts_with("set, instance 5: ") && text.contains(reason), "{reason}: {text}");
            }
        }
    }
    assert!(rebuilt(|i| i.id = 1)
        .unwrap_err()
        .to_string()
        .contains("instance 1: parameter `id`: it occurs twice"));
    for indices in [&[][..], &[10], &[1, 1]] {
        assert!(matches!(set.take(indices), Err(Error::Shape { .. })));
    }
    let [train, validation] = set.split(0.3, 4).unwrap();
    let ids = |set: &PoseSet| set.instances().iter().map(|i| i.id).collect::<Vec<_>>();
    let mut all = [ids(&train), ids(&validation)].concat();
    all.sort_unstable();
    assert_eq!((train.len(), validation.len(), all), (7, 3, ids(&set)));
    assert_eq!(set.split(0.3, 4).unwrap(), [train.clone(), validation]);
    assert_ne!(set.split(0.3, 5).unwrap()[0], train);
    // A part's figures are in its own pictures, shared with the whole.
    let (figure, own) = (&train.instances()[2], &set.instances()[train.instances()[2].id as usize - 1]);
    assert!(std::sync::Arc::ptr_eq(&train.pictures()[figure.picture], &set.pictures()[own.picture]));
    for share in [0.0, 1.0, f64::NAN] {
        assert!(matches!(set.split(share, 0), Err(Error::Parameter { .. })));
    }
    assert!(matches!(set.split(0.01, 0), Err(Error::Undefined { .. })));
}

#[test]
fn figures_of_one_picture_stay_together() {
    let (base, mut instances) = (whole(), Vec::new());
    let pictures: Vec<Picture> = (0..4).map(|_| Picture::clone(&base.pictures()[0])).collect();
    for id in 0..12 {
        instances.push(Instance { id, picture: id as usize % 4, ..base.instances()[0].clone() });
    }
    let set = PoseSet::new("shared", base.skeleton().clone(), pictures, instances).unwrap();
    let [train, validation] = set.split(0.5, 1).unwrap();
    assert_eq!((train.len(), validation.len(), train.pictures().len()), (6, 6, 2));
    let of =
        |set: &PoseSet| set.instances().iter().map(|i| i.id % 4).collect::<std::collections::HashSet<_>>();
    assert!(of(&train).is_disjoint(&of(&validation)));
}

#[test]
fn targets_by_hand() {
    // 6 columns become 3: x = 3 is at 3.5 · 3/6 − 0.5 = 1.25; rows are kept.
    let maps = heatmap_targets(&[[3.0, 1.0], [0.0, 0.0]], &[true, false], [2, 6], [2, 3], 2.0).unwrap();
    let at = |x: f64, y: f64| (-((x - 1.25).powi(2) + (y - 1.0).powi(2)) / 8.0).exp();
    let want = [at(0.0, 0.0), at(1.0, 0.0), at(2.0, 0.0), at(0.0, 1.0), at(1.0, 1.0), at(2.0, 1.0)];
    assert_close(&wide(&maps[..6]), &want, 1e-6);
    assert_eq!(maps[6..], [0.0; 6]);
    // On a pixel's centre the peak is 1, and it is found again where it was put.
    let maps = heatmap_targets(&[[5.0, 9.0]], &[true], [12, 12], [12, 12], 1.5).unwrap();
    assert_eq!(maps[9 * 12 + 5], 1.0);
    let maps = heatmap_targets(&[[20.3, 30.9]], &[true], [64, 48], [32, 24], 2.0).unwrap();
    let heatmaps = reloss::metric::Heatmaps::new(maps, 32, 24).unwrap();
    let [x, y] = heatmaps.decode(reloss::metric::Decoding::Dark(3)).unwrap()[0].0;
    assert_close(&[(x + 0.5) * 2.0 - 0.5, (y + 0.5) * 2.0 - 0.5], &[20.3, 30.9], 0.02);
}

#[test]
fn bad_targets_are_refused() {
    let make = |points: &[[f64; 2]], visible: &[bool], crop, heatmap, sigma| {
        heatmap_targets(points, visible, crop, heatmap, sigma)
    };
    assert!(matches!(make(&[], &[], [1, 1], [1, 1], 1.0), Err(Error::Shape { .. })));
    assert!(matches!(make(&[[0.0; 2]], &[], [1, 1], [1, 1], 1.0), Err(Error::Shape { .. })));
    assert!(matches!(make(&[[0.0; 2]], &[true], [0, 1], [1, 1], 1.0), Err(Error::Shape { .. })));
    assert!(matches!(make(&[[0.0; 2]], &[true], [1, 1], [1, 0], 1.0), Err(Error::Shape { .. })));
    assert!(matches!(make(&[[0.0; 2]], &[true], [1, 1], [1, usize::MAX], 1.0), Err(Error::Shape { .. })));
    assert!(matches!(make(&[[0.0; 2]], &[true], [1, 1], [1, 1], 0.0), Err(Error::Parameter { .. })));
    let nan = [[f64::NAN, 0.0]];
    assert!(matches!(make(&nan, &[true], [1, 1], [1, 1], 1.0), Err(Error::NotFinite { .. })));
    assert_eq!(make(&nan, &[false], [1, 1], [1, 1], 1.0).unwrap(), [0.0]);
}

#[test]
fn views_and_lights_are_seeded() {
    let augment = PoseAugment::default();
    let views: Vec<View> = (0..2000).map(|seed| augment.view(64, 48, seed).unwrap()).collect();
    assert_eq!(views[7], augment.view(64, 48, 7).unwrap());
    // Cut off at two deviations, a normal draw has a deviation of 0.88.
    let angles: Vec<f64> = views.iter().map(|view| view.rotation / augment.rotation).collect();
    let variance = angles.iter().map(|a| a * a).sum::<f64>() / 2000.0;
    assert!(angles.iter().all(|a| a.abs() <= 2.0) && (variance - 0.774).abs() < 0.08, "{variance}");
    let flips = views.iter().filter(|view| view.flip).count();
    assert!((900..1100).contains(&flips), "{flips}");
    // Without mirrors the other draws are the same.
    let upright = PoseAugment { flip: false, ..augment };
    assert_eq!(upright.view(64, 48, 3).unwrap(), View { flip: false, ..views[3] });

    let crop = PoseSet::figures(1, 48, 0).unwrap().crop(0, &View::new(32, 32)).unwrap();
    let lit = |seed| {
        let mut crop = crop.clone();
        augment.light(&mut crop, seed).unwrap();
        crop.pixels
    };
    assert!(lit(1) == lit(1) && lit(1) != lit(2) && lit(1) != crop.pixels);
    assert!((0..20).all(|seed| lit(seed).iter().all(|v| (0.0..=1.0).contains(v))));
    for wrong in [PoseAugment { scale: -0.1, ..augment }, PoseAugment { brightness: f64::NAN, ..augment }] {
        assert!(matches!(wrong.view(8, 8, 0), Err(Error::Parameter { .. })));
        assert!(matches!(wrong.light(&mut crop.clone(), 0), Err(Error::Parameter { .. })));
    }
}

/// The draws are part of every result: a new version of a generator must not change them unseen.
#[test]
fn the_draws_of_views_and_figures_are_pinned() {
    let view = PoseAugment::default().view(64, 48, 1).unwrap();
    let got = [view.scale, view.rotation, view.shift[0], view.shift[1]];
    assert_close(
        &got,
        &[0.8442571724771883, -0.08197708820849481, 0.00999085888437815, -0.03380298973122627],
        1e-12,
    );
    assert!(view.flip);
    let set = PoseSet::figures(6, 64, 1).unwrap();
    assert_close(&set.instances()[1].keypoints[7], &[59.415026958444784, 23.491332690436835], 1e-9);
    let pixels = set.pictures()[1].pixels();
    let levels = [0, 1000, 2080, 4095].map(|i| f64::from(pixels[i]) * 255.0);
    assert_close(&levels, &[89.0, 136.0, 123.0, 158.0], 1e-3);
    // Another system's sine may change the level of a pixel here and there.
    let sum = |picture: &Picture| wide(picture.pixels()).iter().sum::<f64>() * 255.0;
    let sums: Vec<f64> = set.pictures().iter().map(|picture| sum(picture)).collect();
    assert_close(&sums, &[465812.0, 519395.0, 543143.0, 519359.0, 508613.0, 551538.0], 10.0);
}

#[test]
fn figures_do_not_depend_on_threads_or_count() {
    let set = PoseSet::figures(12, 48, 9).unwrap();
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    assert_eq!(one.install(|| PoseSet::figures(12, 48, 9)).unwrap(), set);
    assert_eq!(PoseSet::figures(20, 48, 9).unwrap().pictures()[..12], set.pictures()[..]);
    assert_ne!(PoseSet::figures(12, 48, 10).unwrap().pictures()[0], set.pictures()[0]);
    for (count, side) in [(0, 64), (1, 31), (1, 1 << 20), (usize::MAX, 64), (1, 0)] {
        assert!(matches!(PoseSet::figures(count, side, 0), Err(Error::Parameter { .. })));
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[test]
fn figures_are_drawn_where_their_joints_are() {
    let side = 128;
    let set = PoseSet::figures(60, side, 2).unwrap();
    let joints = set.skeleton().joints();
    let (mut right, mut all, mut told_apart) = (0, 0, 0);
    for instance in set.instances() {
        let [left, top, width, height] = instance.bbox;
        assert!(left >= 0.0 && top >= 0.0 && left + width <= 127.0 && top + height <= 127.0);
        assert!(instance
            .keypoints
            .iter()
            .all(|&[x, y]| { (left..=left + width).contains(&x) && (top..=top + height).contains(&y) }));
        assert!(width.max(height) > 0.55 * side as f64);
        let pixels = set.pictures()[instance.picture].pixels();
        let middle = |[from, to]: [usize; 2]| {
            let [x, y] = [0, 1].map(|i| (instance.keypoints[from][i] + instance.keypoints[to][i]) / 2.0);
            f64::from(pixels[y.round() as usize * side + x.round() as usize])
        };
        let of = |side: &str, other: &str| -> Vec<f64> {
            let any = |limb: &[usize; 2], name: &str| limb.iter().any(|&j| joints[j].starts_with(name));
            let limbs = set.skeleton().limbs().iter();
            limbs.filter(|limb| any(limb, side) && !any(limb, other)).map(|&limb| middle(limb)).collect()
        };
        // Most of a side has one grey, and the left is the lighter one.
        let greys = [of("left", "right"), of("right", "left")];
        let [light, dark] = [0, 1].map(|i| median(greys[i].clone()));
        told_apart += usize::from(light > dark + 0.5);
        for (greys, own) in greys.iter().zip([light, dark]) {
            right += greys.iter().filter(|&&grey| (grey - own).abs() < 0.12).count();
            all += greys.len();
        }
    }
    // Now and then most of a side is hidden.
    assert!(all == 60 * 12 && told_apart >= 58, "{told_apart} of 60");
    assert!(right as f64 > 0.88 * all as f64, "{right} of {all}");
}
